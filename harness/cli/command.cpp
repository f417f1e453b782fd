#include "harness/cli/command.h"

#include <fmt/format.h>

#include "harness/base/text.h"

namespace niah {

CLI::App* add_command(CLI::App& program, const std::string& name, const std::string& description,
                      const std::string& example) {
  CLI::App* command = program.add_subcommand(name, description);
  command->footer(std::string(kExampleHeading) + "\n  " + example);
  return command;
}

CLI::App* add_command(CLI::App& program, const CommandText& text) {
  return add_command(program, text.name, text.description, text.example);
}

CLI::Option* add_repeated(CLI::App& command, const std::string& name,
                          std::vector<std::string>& values, const std::string& description) {
  return command.add_option(name, values, description)
      ->allow_extra_args(false)
      ->type_name(kSettingValue);
}

namespace {

/// The value of an option, or an error that names what was expected.
template <typename Value>
Value expect(const std::optional<Value>& value, const std::string& name, const std::string& text,
             const std::string& expected) {
  if (value) return *value;
  throw CLI::ValidationError(
      name, fmt::format("expected {}, got '{}'", expected, valid_utf8(text.substr(0, 60))));
}

}  // namespace

CLI::Option* add_integer(CLI::App& command, const std::string& name, std::int64_t& value,
                         IntegerRange range, const std::string& description) {
  const auto take = [&value, name, range](const std::string& text) {
    value = expect(parse_integer(text, range), name, text, range_text(range, text));
  };
  return command.add_option_function<std::string>(name, take, description)
      ->type_name("N")
      ->default_str(std::to_string(value));
}

CLI::Option* add_seed(CLI::App& command, std::uint64_t& seed, const std::string& description) {
  const auto take = [&seed](const std::string& text) {
    seed = static_cast<std::uint64_t>(
        expect(parse_integer(text, kNotNegative), "--seed", text, range_text(kNotNegative, text)));
  };
  return command.add_option_function<std::string>("--seed", take, description)
      ->type_name("N")
      ->default_str(std::to_string(seed));
}

CLI::Option* add_number(CLI::App& command, const std::string& name, double& value,
                        NumberRange range, const std::string& description) {
  const auto take = [&value, name, range](const std::string& text) {
    value = expect(parse_number(text, range), name, text, range_text(range));
  };
  return command.add_option_function<std::string>(name, take, description)
      ->type_name("X")
      ->default_str(fmt::format("{:g}", value));
}

void add_device_option(CLI::App& command, std::string& device) {
  command
      .add_option("--device", device,
                  "Where to compute: cpu, cuda, cuda:N (one of several), or auto (CUDA where there "
                  "is a GPU)")
      ->type_name("{auto|cpu|cuda|cuda:N}")
      ->capture_default_str();
}

}  // namespace niah

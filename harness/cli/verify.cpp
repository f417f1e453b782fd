// niah verify: compares logits with recorded ones.
#include <algorithm>
#include <nlohmann/json.hpp>

#include "harness/base/output.h"
#include "harness/base/units.h"
#include "harness/cli/model_commands.h"
#include "harness/cli/runtime_options.h"
#include "models/instruments/verify.h"

namespace niah {
namespace {

struct VerifyArguments {
  RuntimeArguments model;
  std::string golden;
  double tolerance = 1e-4;
  std::int64_t chunk = 0;
};

ExitCode run_verify(const VerifyArguments& arguments) {
  const bool fp32 = arguments.model.scalar_type() == at::kFloat;
  const models::Golden golden = models::read_golden(arguments.golden);
  const auto model = arguments.model.load();
  const models::VerifyResult result = models::verify(*model, golden, arguments.chunk);
  const nlohmann::ordered_json json = {{"prefill_max_abs_diff", result.prefill_max_abs_diff},
                                       {"decode_max_abs_diff", result.decode_max_abs_diff},
                                       {"argmax_agreement", result.argmax_agreement},
                                       {"clear_argmax_agreement", result.clear_argmax_agreement},
                                       {"mean_abs_diff", result.mean_abs_diff},
                                       {"positions", result.positions},
                                       {"greedy_equal", result.greedy_equal},
                                       {"greedy_compared", result.greedy_compared}};
  print_out("{}\n", json.dump());
  // In bf16, agreement is expected only where the best token leads by a clear margin.
  const bool good = fp32 ? std::max(result.prefill_max_abs_diff, result.decode_max_abs_diff) <=
                                   arguments.tolerance &&
                               result.greedy_equal == result.greedy_compared
                         : result.clear_argmax_agreement == 1;
  return good ? ExitCode::kOk : ExitCode::kCheckFailed;
}

}  // namespace

void add_verify_command(CLI::App& program, Command& chosen) {
  const auto arguments = std::make_shared<VerifyArguments>();
  CLI::App* command = add_command(program, kVerify);
  add_model_options(*command, arguments->model);
  command
      ->add_option(
          "--golden", arguments->golden,
          "The recorded logits (safetensors), as tests/oracle/record_golden.py writes them")
      ->type_name(kFileValue)
      ->required();
  add_number(*command, "--tolerance", arguments->tolerance, {.low = 0},
             "How far apart logits may be in fp32 (in bf16 the clear tokens have to agree)");
  add_integer(*command, "--chunk", arguments->chunk, {0, kLongestLength},
              "Read the prompt in pieces of so many tokens (0: whole)");
  add_runtime_options(*command, arguments->model);
  command->callback(
      [arguments, &chosen] { chosen = [arguments] { return run_verify(*arguments); }; });
}

}  // namespace niah

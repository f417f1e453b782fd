#include "harness/cli/runtime_options.h"

#include <fmt/format.h>

#include "harness/base/progress.h"
#include "harness/cli/pair_options.h"
#include "models/checkpoint/adapter_beside.h"
#include "models/device.h"
#include "models/load_model.h"

namespace niah {

at::ScalarType RuntimeArguments::scalar_type() const {
  if (dtype == "fp32") return at::kFloat;
  if (dtype == "bf16") return at::kBFloat16;
  throw UsageError(fmt::format("--dtype '{}': fp32 or bf16 was expected", dtype));
}

std::shared_ptr<models::CausalLM> RuntimeArguments::load() const {
  const at::Device where = models::find_device(device);
  models::allow_rounded_products(where, scalar_type());
  if (const std::string warning = models::adapter_beside(path()); !warning.empty())
    print_warning(warning);
  return models::load_model(path(), scalar_type(), override(), where);
}

void add_runtime_options(CLI::App& command, RuntimeArguments& arguments) {
  command.add_option("--dtype", arguments.dtype, "Numbers to compute with: fp32 or bf16")
      ->type_name("{fp32|bf16}")
      ->capture_default_str();
  add_device_option(command, arguments.device);
}

}  // namespace niah

#include "harness/engine/local/memory_guard.h"

#include <array>
#include <new>
#include <string_view>
#include <system_error>

#include "harness/base/error.h"
#include "harness/engine/local/torch_error.h"

namespace niah {
namespace {

/// What messages contain when an allocation failed: those of libtorch's CPU allocator; of oneDNN,
/// which reports every failure to make a primitive alike, be it for lack of scratch memory; and of
/// the system, for mapped memory.
constexpr std::array<std::string_view, 5> kPhrases = {
    "DefaultCPUAllocator", "could not create a primitive", "could not create a memory",
    "could not execute a primitive", "Cannot allocate memory"};

bool names_it(std::string_view text) {
  for (const std::string_view phrase : kPhrases)
    if (text.find(phrase) != std::string_view::npos) return true;
  return false;
}

}  // namespace

bool is_out_of_memory(const std::exception& error) {
  if (dynamic_cast<const Error*>(&error) != nullptr) return false;  // says itself what it is
  if (dynamic_cast<const std::bad_alloc*>(&error) != nullptr) return true;
  if (const auto* system = dynamic_cast<const std::system_error*>(&error))
    return system->code() == std::errc::not_enough_memory ||
           system->code() == std::errc::resource_unavailable_try_again;
  if (const auto torch = torch_error(error)) return torch->out_of_memory || names_it(torch->words);
  return names_it(error.what());
}

}  // namespace niah

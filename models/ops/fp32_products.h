// Keeps a recurrence's arithmetic in fp32 while the rest of a model trains in bf16.
#pragma once

#include <c10/core/DispatchKeySet.h>
#include <c10/core/impl/LocalDispatchKeySet.h>

namespace niah::models {

/// While one lives, autocast changes no operand of this thread's operators: products of fp32
/// tensors are fp32. States that are carried from chunk to chunk need that, and products that are
/// added in place to an fp32 tensor. Does nothing where autocast is off.
class Fp32Products {
 public:
  Fp32Products() : without_autocast_(c10::autocast_dispatch_keyset) {}
  Fp32Products(const Fp32Products&) = delete;
  Fp32Products& operator=(const Fp32Products&) = delete;

 private:
  c10::impl::ExcludeDispatchKeyGuard without_autocast_;
};

}  // namespace niah::models

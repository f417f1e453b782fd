// Precompiled for every torch translation unit. Not torch/torch.h: its templates for modules,
// optimisers and data loaders would be instantiated again in every file, used or not.
#pragma once

#include <ATen/ATen.h>
#include <torch/nn/module.h>
#include <torch/types.h>
#include <torch/utils.h>

// Precompiled for every torch translation unit: nothing else belongs here. Not torch/torch.h: what
// it has of modules, optimisers and data loaders is instantiated again in every file, used or not.
#pragma once

#include <ATen/ATen.h>
#include <torch/nn/module.h>
#include <torch/types.h>
#include <torch/utils.h>

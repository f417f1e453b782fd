// Precompiled for every torch translation unit: nothing else belongs here.
#pragma once

#include <torch/torch.h>

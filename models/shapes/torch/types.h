// See shapes/tensor.h.
#pragma once

#include "models/shapes/tensor.h"

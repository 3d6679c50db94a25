// SPDX-License-Identifier: Apache-2.0

#pragma once

namespace sheaf::kernels {

// The function between the two products of a feed-forward layer. "Tanh" and
// "Erf" are the approximated and the exact form of GELU.
enum class Activation { kRelu, kGeluTanh, kGeluErf, kSilu };

}  // namespace sheaf::kernels

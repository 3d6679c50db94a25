// SPDX-License-Identifier: Apache-2.0

#pragma once

// The table of all kernels of one compilation; included by each kernels_*.cc.

#include "engine/kernels/attend_decode.inl.h"
#include "engine/kernels/attend_encode.inl.h"
#include "engine/kernels/attention.inl.h"
#include "engine/kernels/gemm.inl.h"
#include "engine/kernels/gemm_int4.inl.h"
#include "engine/kernels/gemm_narrow.inl.h"
#include "engine/kernels/kernels.h"
#include "engine/kernels/rowwise.inl.h"
#include "engine/kernels/scan.inl.h"
#include "engine/kernels/simd.inl.h"

namespace sheaf::kernels {
namespace {

constexpr Kernels TableOf(Isa isa) {
  return {
      .isa = isa,
      .gemm = RunProduct<F32Product>,
      .gemm_bf16 = MultiplyBf16,
      .gemm_int8 = RunProduct<Int8Product>,
      .has_bf16_products = kHasBf16Products,
      .int8_group = Int8Panel<1>::kGroup,
      .rows_at_once = 64,
      .quantize_rows = QuantizeRows,
      .max_magnitude = MaxMagnitude,
      .quantize_columns = QuantizeColumns,
      .gemm_int4 = MultiplyInt4,
      .int4_inputs = Int4Inputs,
      .attend_decode = AttendDecode,
      .join_parts = JoinParts,
      .score_keys = ScoreKeys,
      .pack_head = PackHead,
      .attend_encode = AttendEncode,
      .narrow_encode_type = kHasBf16Products ? EncodeType::kBf16
                            : kLanes > 4     ? EncodeType::kInt16
                                             : EncodeType::kF32,
      .rms_norm = RmsNorm,
      .layer_norm = LayerNorm,
      .activate = Activate,
      .rotate = Rotate,
      .soft_cap = SoftCapRow,
      .max_and_sum = ScanMaxAndSum,
      .block_maxima = BlockMaxima,
      .exp_weights = ExpWeights,
  };
}

}  // namespace
}  // namespace sheaf::kernels

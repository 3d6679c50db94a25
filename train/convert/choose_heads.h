// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "engine/model/description.h"
#include "text/prompt_template.h"
#include "text/tokenizers.h"
#include "train/convert/alignment_error.h"
#include "train/convert/forced_decoding.h"
#include "train/data/text_pairs.h"

namespace sheaf {

// A model whose alignments are measured: its files, tokenizers and prompt.
struct AlignmentModel {
  std::string directory;
  ModelDescription description;
  Tokenizers tokenizers;
  PromptTemplate prompt;
};

// Makes the decoder give `target` for `source`.
ForcedPair MakeForcedPair(const AlignmentModel& model, absl::string_view source,
                          absl::string_view target);

// Heads, and how well they agree with a reference.
struct HeadChoice {
  AlignmentHeads heads;
  double agreement = 0;   // share of the reference's links that they find
  int64_t num_links = 0;  // of the reference
};

// Chooses the heads and the shift whose alignment agrees best with a reference
// on the first `num_lines` pairs. The reference has the links on which two
// TranslationModels agree, one for each direction, that are trained on all
// pairs. These are independent of the model, and links on which both directions
// agree are seldom wrong. Of each shift, the best single head is tried, then
// the best two and so on; a head is added only if it helps.
// FAILED_PRECONDITION: there are no links.
absl::StatusOr<HeadChoice> ChooseHeads(const AlignmentModel& model,
                                       const std::vector<TextPair>& pairs,
                                       size_t num_lines);

// The alignment error rate of the model's heads when its decoder is made to
// give the targets.
absl::StatusOr<double> MeasureErrorRate(const AlignmentModel& model,
                                        const std::vector<GoldAlignment>& gold);

// Writes sheaf_alignment.json. ALREADY_EXISTS if there is the file, or INTERNAL
// if it cannot be written.
absl::Status WriteAlignmentHeads(const std::string& path,
                                 const AlignmentHeads& heads);

}  // namespace sheaf

// SPDX-License-Identifier: Apache-2.0

#pragma once

#include "train/common/token_file.h"
#include "train/tokenize/translation_model.h"

namespace sheaf {

// Sets the alignment of all pairs: for each target token, the place of the
// source token that it most likely translates, or kUnaligned. Uses a
// TranslationModel that is trained on the file itself.
//
// The ids at the beginning that all sources share, the task's prompt, are not
// used. The end token aligns with the end token. Sources with more than 254 ids
// are left unaligned.
void AlignWords(const AlignmentOptions& options, TokenFile& file);

// The same for targets in the language of their sources, such as summaries. A
// target token aligns with the source token of the same id. If there are
// several, it aligns with the one with the most agreeing neighbours, or the
// first of these. Ids that occur in more than the share `most_common` of the
// sources, such as commas, align only if a neighbour agrees too.
void AlignCopies(double most_common, TokenFile& file);

}  // namespace sheaf

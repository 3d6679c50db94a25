#pragma once

#include "train/common/token_file.h"

namespace sheaf {

struct AlignmentOptions {
  int num_iterations = 5;
  double null_share = 0.08;  // of target tokens that translate nothing
  double diagonal = 4;  // how strongly a target stands where its source does
};

// Sets the alignment of all pairs: for each target token the place of the
// source token that it most likely translates, or kUnaligned. IBM model 1 with
// a prior that favours the diagonal (Dyer et al. 2013, with its two numbers
// fixed), trained on the file itself.
//
// What all sources begin with, the task's prompt, takes no part; the end token
// aligns with the end token. Sources beyond 254 ids are left unaligned.
void AlignWords(const AlignmentOptions& options, TokenFile& file);

// The same for targets in the language of their sources, as summaries: a target
// token aligns with the source token of the same id, of several with the one
// whose neighbours agree furthest, then with the first. Ids that more than
// `most_common` of the sources have, such as commas, align only where a
// neighbour agrees too.
void AlignCopies(double most_common, TokenFile& file);

}  // namespace sheaf

// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "engine/model/tensor_file.h"

namespace sheaf {

// Opens a state dict as torch.save() writes it, `pytorch_model.bin`, in one of
// two formats:
//   - a ZIP archive: `NAME/data.pkl`, a pickle of the dict, and one entry
//     `NAME/data/KEY` for each storage;
//   - the format before PyTorch 1.6: pickles of a magic number, a version, a
//     dict about the machine, the dict of tensors and the list of storages;
//     then each storage, as its number of elements (u64) and these.
// A tensor is a view of a storage: an offset, a shape and strides. Several
// tensors may share one storage.
//
// The file is untrusted. Its pickles are read, but no storage, and nothing in
// it is executed. A file is refused, with its path, the offset or the tensor,
// and the rule, if it breaks one of these:
//   1. Its pickles are what TorchPickleReader reads and have at most 8 MiB; the
//      archive is what ReadZipDirectory() reads. The CRC of data.pkl is right.
//      CRCs of storages are not compared, because that would read the file
//      twice.
//   2. It was written on a little-endian machine.
//   3. The dict maps strings to tensors or parameters and has no key twice.
//   4. Each storage is in the file with the size that the pickle says, and the
//      file has no others, nor anything else that torch.save() does not write.
//   5. Each tensor is within its storage. It has no more elements than its
//      storage, and no stride of 0 along more than one element.
// Therefore a file that opens has every byte of every tensor, unless it changes
// afterwards, which a read reports.
absl::StatusOr<TensorFile> OpenTorchFile(const std::string& path);

}  // namespace sheaf

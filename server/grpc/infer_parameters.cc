// SPDX-License-Identifier: Apache-2.0

#include "server/grpc/infer_parameters.h"

#include <google/protobuf/descriptor.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <optional>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/strings/strip.h"
#include "server/field_error.h"

namespace sheaf {
namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using inference::InferParameter;

constexpr absl::string_view kUnspecified = "UNSPECIFIED";

// Fields of requests that are options. Others are tensors, or change what the
// response has.
constexpr absl::string_view kRequestOptions[] = {
    "copy_target_language", "format",        "glossary",
    "line_breaks",          "protect_spans", "repair"};

std::string PathOf(const std::string& name) {
  return absl::StrFormat("parameters[\"%s\"]", Escaped(name));
}

const char* TypeOf(const InferParameter& value) {
  switch (value.parameter_choice_case()) {
    case InferParameter::kBoolParam:
      return "a bool";
    case InferParameter::kInt64Param:
    case InferParameter::kUint64Param:
      return "an integer";
    case InferParameter::kStringParam:
      return "a string";
    case InferParameter::kDoubleParam:
      return "a double";
    case InferParameter::PARAMETER_CHOICE_NOT_SET:
      break;
  }
  return "not set";
}

absl::Status WrongType(const std::string& name, const InferParameter& value,
                       absl::string_view allowed) {
  return FieldError(absl::StatusCode::kInvalidArgument, PathOf(name),
                    "is %s; this server allows %s", TypeOf(value), allowed);
}

// Sets a field of the type T if the integer fits.
template <typename T>
bool IntegerOf(const InferParameter& value, T* out) {
  if (value.has_uint64_param()) {
    if (value.uint64_param() >
        static_cast<uint64_t>(std::numeric_limits<T>::max())) {
      return false;
    }
    *out = static_cast<T>(value.uint64_param());
    return true;
  }
  const int64_t number = value.int64_param();
  if constexpr (sizeof(T) < sizeof(int64_t)) {
    if (number < std::numeric_limits<T>::min() ||
        number > std::numeric_limits<T>::max()) {
      return false;
    }
  } else if (number < 0) {
    return false;  // the only such type has no sign
  }
  *out = static_cast<T>(number);
  return true;
}

bool IsInteger(const InferParameter& value) {
  return value.has_int64_param() || value.has_uint64_param();
}

template <typename T>
absl::StatusOr<T> ReadInteger(const std::string& name,
                              const InferParameter& value) {
  if (!IsInteger(value)) return WrongType(name, value, "an integer");
  T number = 0;
  if (IntegerOf(value, &number)) return number;
  const std::string shown = value.has_uint64_param()
                                ? absl::StrCat(value.uint64_param())
                                : absl::StrCat(value.int64_param());
  return FieldError(absl::StatusCode::kInvalidArgument, PathOf(name),
                    "is %s; its type allows %d..%d", shown,
                    std::numeric_limits<T>::min(),
                    std::numeric_limits<T>::max());
}

// A number that a float cannot hold becomes infinity, which is in no range.
float ToFloat(double number) {
  if (std::abs(number) > std::numeric_limits<float>::max()) {
    return std::copysign(std::numeric_limits<float>::infinity(),
                         static_cast<float>(std::copysign(1.0, number)));
  }
  return static_cast<float>(number);
}

// "keep" for LINE_BREAKS_KEEP.
absl::Status SetEnum(const std::string& name, const InferParameter& value,
                     const FieldDescriptor& field, Message* message) {
  const auto& type = *field.enum_type();
  const absl::string_view prefix =
      absl::StripSuffix(type.value(0)->name(), kUnspecified);
  std::vector<std::string> allowed;
  for (int i = 1; i < type.value_count(); ++i) {
    allowed.push_back(absl::AsciiStrToLower(
        absl::StripPrefix(type.value(i)->name(), prefix)));
    if (value.has_string_param() && value.string_param() == allowed.back()) {
      message->GetReflection()->SetEnum(message, &field, type.value(i));
      return absl::OkStatus();
    }
  }
  const std::string list = absl::StrJoin(allowed, ", ");
  if (!value.has_string_param()) return WrongType(name, value, list);
  return FieldError(absl::StatusCode::kInvalidArgument, PathOf(name),
                    "is \"%s\"; this server allows %s",
                    Escaped(value.string_param()), list);
}

absl::Status SetField(const std::string& name, const InferParameter& value,
                      const FieldDescriptor& field, Message* message) {
  const google::protobuf::Reflection& reflection = *message->GetReflection();
  switch (field.cpp_type()) {
    case FieldDescriptor::CPPTYPE_INT32: {
      const absl::StatusOr<int32_t> number = ReadInteger<int32_t>(name, value);
      if (!number.ok()) return number.status();
      reflection.SetInt32(message, &field, *number);
      return absl::OkStatus();
    }
    case FieldDescriptor::CPPTYPE_UINT64: {
      const absl::StatusOr<uint64_t> number =
          ReadInteger<uint64_t>(name, value);
      if (!number.ok()) return number.status();
      reflection.SetUInt64(message, &field, *number);
      return absl::OkStatus();
    }
    case FieldDescriptor::CPPTYPE_FLOAT: {
      if (!value.has_double_param() && !value.has_int64_param()) {
        return WrongType(name, value, "a number");
      }
      const double number = value.has_double_param()
                                ? value.double_param()
                                : static_cast<double>(value.int64_param());
      reflection.SetFloat(message, &field, ToFloat(number));
      return absl::OkStatus();
    }
    case FieldDescriptor::CPPTYPE_BOOL:
      if (!value.has_bool_param()) return WrongType(name, value, "a bool");
      reflection.SetBool(message, &field, value.bool_param());
      return absl::OkStatus();
    case FieldDescriptor::CPPTYPE_ENUM:
      return SetEnum(name, value, field, message);
    default:  // a string, or a list of one
      if (!value.has_string_param()) return WrongType(name, value, "a string");
      if (field.is_repeated()) {
        reflection.AddString(message, &field, value.string_param());
      } else {
        reflection.SetString(message, &field, value.string_param());
      }
      return absl::OkStatus();
  }
}

// Whether a parameter can set the field.
bool IsOption(const FieldDescriptor* field) {
  if (field == nullptr ||
      field->cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE) {
    return false;
  }
  return !field->is_repeated() ||
         field->cpp_type() == FieldDescriptor::CPPTYPE_STRING;
}

}  // namespace

absl::StatusOr<std::string> StringParameter(const InferParameters& parameters,
                                            const std::string& name,
                                            const std::string& absent) {
  const auto it = parameters.find(name);
  if (it == parameters.end()) return absent;
  if (!it->second.has_string_param()) {
    return WrongType(name, it->second, "a string");
  }
  return it->second.string_param();
}

absl::Status CheckBoolParameter(const InferParameters& parameters,
                                const std::string& name) {
  const auto it = parameters.find(name);
  if (it == parameters.end() || it->second.has_bool_param()) {
    return absl::OkStatus();
  }
  return WrongType(name, it->second, "a bool");
}

absl::Status SetOptions(const InferParameters& parameters,
                        absl::Span<const absl::string_view> excluded,
                        Message* request) {
  std::vector<std::string> names;
  names.reserve(parameters.size());
  for (const auto& [name, value] : parameters) {
    if (std::find(excluded.begin(), excluded.end(), name) == excluded.end()) {
      names.push_back(name);
    }
  }
  std::sort(names.begin(), names.end());
  const auto& type = *request->GetDescriptor();
  const FieldDescriptor& decoding = *type.FindFieldByName("decoding");
  for (const std::string& name : names) {
    Message* message = request;
    const FieldDescriptor* field =
        std::find(std::begin(kRequestOptions), std::end(kRequestOptions),
                  name) != std::end(kRequestOptions)
            ? type.FindFieldByName(name)
            : nullptr;
    if (field == nullptr) {
      field = decoding.message_type()->FindFieldByName(name);
      message = request->GetReflection()->MutableMessage(request, &decoding);
    }
    if (!IsOption(field)) {
      return FieldError(absl::StatusCode::kInvalidArgument, PathOf(name),
                        "is not an option of %s", type.name());
    }
    absl::Status status = SetField(name, parameters.at(name), *field, message);
    if (!status.ok()) return status;
  }
  return absl::OkStatus();
}

}  // namespace sheaf

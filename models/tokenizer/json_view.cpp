#include "models/tokenizer/json_view.h"

#include <fmt/format.h>

#include "harness/base/error.h"
#include "harness/base/strict_json.h"
#include "models/tokenizer/utf8.h"

namespace niah::models {

std::string shown_json(const nlohmann::json& node) {
  if (node.is_array()) return fmt::format("an array of {}", node.size());
  if (node.is_object()) return fmt::format("an object of {}", node.size());
  return json_line(node, 60, /*is_ascii=*/true);
}

nlohmann::json parse_json(std::string_view text, const std::filesystem::path& file) {
  refuse_lfs_pointer(text, file, "reading the tokenizer");
  try {
    return parse_strict_json(text);
  } catch (const JsonError& error) {
    if (error.byte() == 0) {
      throw DataError(fmt::format("reading {}: {}", file.string(), message_line(error.what())));
    }
    throw DataError(
        fmt::format("reading {}: not JSON: {} (at byte {} of {}); is the download whole?",
                    file.string(), message_line(error.what()), error.byte(), text.size()));
  }
}

JsonView JsonView::at(std::string_view key) const {
  if (!node_->is_object()) fail("is " + shown_json(*node_) + ", expected an object");
  const auto member = node_->find(key);
  if (member == node_->end()) fail(fmt::format("has no \"{}\"", key));
  return {*member, *file_, fmt::format("{}.{}", path_, key)};
}

std::optional<JsonView> JsonView::find(std::string_view key) const {
  if (!node_->is_object()) fail("is " + shown_json(*node_) + ", expected an object");
  const auto member = node_->find(key);
  if (member == node_->end() || member->is_null()) return std::nullopt;
  return JsonView(*member, *file_, fmt::format("{}.{}", path_, key));
}

std::vector<JsonView> JsonView::elements() const {
  std::vector<JsonView> out;
  for (const auto& element : array()) {
    out.emplace_back(element, *file_, fmt::format("{}[{}]", path_, out.size()));
  }
  return out;
}

const std::string& JsonView::string() const {
  if (!node_->is_string()) fail("is " + shown_json(*node_) + ", expected a string");
  return node_->get_ref<const std::string&>();
}

bool JsonView::boolean() const {
  if (!node_->is_boolean()) fail("is " + shown_json(*node_) + ", expected true or false");
  return node_->get<bool>();
}

std::int32_t JsonView::id() const {
  constexpr std::uint64_t kLimit = std::uint64_t{1} << 31;
  if (!node_->is_number_unsigned() || node_->get<std::uint64_t>() >= kLimit) {
    fail("is " + shown_json(*node_) + ", expected an integer from 0 to 2147483647");
  }
  return static_cast<std::int32_t>(node_->get<std::uint64_t>());
}

const nlohmann::json& JsonView::array() const {
  if (!node_->is_array()) fail("is " + shown_json(*node_) + ", expected an array");
  return *node_;
}

const nlohmann::json& JsonView::object() const {
  if (!node_->is_object()) fail("is " + shown_json(*node_) + ", expected an object");
  return *node_;
}

std::string JsonView::string_or(std::string_view key, std::string fallback) const {
  const auto member = find(key);
  return member ? member->string() : std::move(fallback);
}

bool JsonView::boolean_or(std::string_view key, bool fallback) const {
  const auto member = find(key);
  return member ? member->boolean() : fallback;
}

void JsonView::fail(const std::string& problem) const {
  throw DataError(message_line(fmt::format("reading {}: {} {}", file_->string(), path_, problem)));
}

}  // namespace niah::models

#include "harness/base/strict_json.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>
#include <unordered_set>
#include <utility>
#include <vector>

#include "harness/base/error.h"
#include "harness/base/text.h"

namespace niah {
namespace {

using nlohmann::json;

constexpr std::size_t kMaxDepth = 128;
constexpr std::size_t kMaxShown = 80;

std::string one_short_line(std::string_view text) {
  std::string line = valid_utf8(text.substr(0, kMaxShown));
  for (char& byte : line)
    if (static_cast<unsigned char>(byte) < ' ') byte = ' ';
  return text.size() > kMaxShown ? line + "..." : line;
}

/// Builds a document from a parser's events.
class Builder final : public json::json_sax_t {
 public:
  using Take = std::function<void(const std::string&, json)>;
  /// With `take`, members of the outermost object are passed to it instead of kept.
  explicit Builder(Take take = nullptr) : take_(std::move(take)) {}

  bool null() override { return put(nullptr); }
  bool boolean(bool value) override { return put(value); }
  bool number_integer(std::int64_t value) override { return put(value); }
  bool number_unsigned(std::uint64_t value) override { return put(value); }
  bool number_float(double value, const std::string&) override { return put(value); }
  bool string(std::string& value) override { return put(std::move(value)); }
  bool binary(json::binary_t&) override { return false; }
  bool start_object(std::size_t) override { return open(json::object()); }
  bool start_array(std::size_t) override { return open(json::array()); }
  bool end_object() override { return close(); }
  bool end_array() override { return close(); }

  bool key(std::string& name) override {
    if (take_ && open_.size() == 1) {
      if (!names_.insert(name).second) return refuse_twice(name);
      name_ = name;
      member_ = nullptr;
      slot_ = &member_;
      return true;
    }
    const auto [place, is_new] =
        open_.back()->get_ref<json::object_t&>().emplace(std::move(name), nullptr);
    if (!is_new) return refuse_twice(place->first);
    slot_ = &place->second;
    return true;
  }

  bool parse_error(std::size_t position, const std::string&,
                   const nlohmann::detail::exception& error) override {
    error_ = one_short_line(error.what());
    // "[json.exception.parse_error.101] parse error at line 1, column 2: syntax error ...".
    const std::string text = error.what();
    const std::size_t reason = text.find(": ");
    if (reason != std::string::npos) error_ = one_short_line(text.substr(reason + 2));
    byte_ = position;
    return false;
  }

  json finish(bool parsed) {
    if (!parsed) throw JsonError(error_, byte_);
    return std::move(root_);
  }

 private:
  bool put(json value) {
    place(std::move(value));
    return completed();
  }

  bool open(json empty) {
    if (open_.size() >= kMaxDepth) {
      error_ = fmt::format("it is nested more than {} deep", kMaxDepth);
      return false;
    }
    open_.push_back(place(std::move(empty)));
    return true;
  }

  bool close() {
    open_.pop_back();
    return completed();
  }

  json* place(json value) {
    if (open_.empty()) return &(root_ = std::move(value));
    json& parent = *open_.back();
    if (!parent.is_array()) return &(*slot_ = std::move(value));
    parent.push_back(std::move(value));
    return &parent.back();
  }

  /// Called when a value is complete: passes a member of the outermost object to `take_`.
  bool completed() {
    if (take_ && open_.size() == 1 && open_.back()->is_object())
      take_(name_, std::exchange(member_, nullptr));
    return true;
  }

  bool refuse_twice(const std::string& name) {
    error_ = fmt::format("the key '{}' is there twice in one object", one_short_line(name));
    return false;
  }

  Take take_;
  json root_;
  json* slot_ = nullptr;     ///< where the value of the last key goes
  std::vector<json*> open_;  ///< arrays and objects around the current place, outermost first
  std::unordered_set<std::string> names_;
  std::string name_;
  json member_;
  std::string error_ = "it is not JSON";
  std::size_t byte_ = 0;
};

}  // namespace

json parse_strict_json(std::string_view text) {
  Builder builder;
  return builder.finish(json::sax_parse(text, &builder));
}

void parse_json_members(std::string_view text,
                        const std::function<void(const std::string&, json)>& take) {
  Builder builder(take);
  const json document = builder.finish(json::sax_parse(text, &builder));
  if (!document.is_object()) throw JsonError("it is not a JSON object", 0);
}

std::string json_line(const json& value, std::size_t most, bool is_ascii) {
  return cut_short(value.dump(-1, ' ', is_ascii, json::error_handler_t::replace), most);
}

void refuse_lfs_pointer(std::string_view content, const std::filesystem::path& path,
                        std::string_view doing) {
  if (!content.starts_with("version https://git-lfs.github.com/spec/")) return;
  std::string size;
  const std::size_t at = content.find("\nsize ");
  for (std::size_t i = at + 6; at != std::string_view::npos && i < content.size(); ++i) {
    if (content[i] < '0' || content[i] > '9' || size.size() > 18) break;
    size += content[i];
  }
  throw DataError(fmt::format(
      "{}: {} is a Git LFS pointer, not the file itself{}; run `git lfs pull` in its folder, or "
      "download the file",
      doing, path.string(), size.empty() ? "" : fmt::format(" ({} bytes)", size)));
}

}  // namespace niah

#include "tasks/haystack/sources.h"

#include <fmt/format.h>

#include <algorithm>
#include <deque>
#include <mutex>
#include <system_error>
#include <utility>

#include "harness/base/error.h"
#include "harness/base/files.h"
#include "harness/base/sha256.h"
#include "harness/base/shipped_data.h"
#include "harness/base/text.h"
#include "harness/base/units.h"
#include "tasks/haystack/prose.h"
#include "tasks/haystack/punkt.h"
#include "tasks/haystack/unicode_sentences.h"
#include "tasks/unicode.h"

namespace niah::tasks {
namespace {

namespace fs = std::filesystem;

constexpr std::pair<HaystackKind, const char*> kNames[] = {{HaystackKind::kKjv, "kjv"},
                                                           {HaystackKind::kProse, "prose"},
                                                           {HaystackKind::kEssays, "essays"},
                                                           {HaystackKind::kText, "text"}};

/// The hash of the 31,102 verses of Debian's bible-kjv-text, one per line.
constexpr std::string_view kKjvSha256 =
    "b5c4940bcfeee072c0935b5200d0f9d88a00a0199cb0961d16133458fcdfae5d";

/// Sentences of texts that were read from files.
class TextHaystack final : public Haystack {
 public:
  TextHaystack(std::string name, std::vector<std::string> documents, const HaystackSpec& spec)
      : name_(std::move(name)), documents_(std::move(documents)), repeat_(spec.repeat) {
    text_ = collapse_white_space(fmt::format("{}", fmt::join(documents_, " ")));
    const std::string_view text = strip(text_);
    sentences_ = is_english(spec) ? split_sentences(text) : split_unicode_sentences(text);
    if (!is_english(spec)) name_ += ", " + spec.language;
    if (is_written_without_spaces(spec.language)) separator_.clear();
    if (sentences_.empty()) {
      throw DataError(fmt::format("haystack {}: there is no text in it", name_));
    }
  }

  std::string_view sentence(std::int64_t index) const override {
    check(index >= 0, "a sentence's index is negative");
    const auto count = static_cast<std::int64_t>(sentences_.size());
    if (index >= count && !repeat_) throw exhausted();
    return sentences_[static_cast<std::size_t>(index % count)];
  }

  std::int64_t size() const override {
    return repeat_ ? -1 : static_cast<std::int64_t>(sentences_.size());
  }
  std::string separator() const override { return separator_; }
  std::string name() const override { return repeat_ ? name_ + ", repeated" : name_; }
  std::string sha256() const override { return sha256_hex(text_); }
  const std::vector<std::string>& documents() const override { return documents_; }

 private:
  DataError exhausted() const {
    return DataError(fmt::format(
        "haystack {}: the text ends after {} sentences ({}), which is not enough for this length. "
        "Set `repeat: true` under `haystack:` to start it again, or take a longer text or "
        "`haystack: {{kind: prose}}`.",
        name_, format_count(static_cast<std::int64_t>(sentences_.size())),
        format_bytes(static_cast<double>(text_.size()))));
  }

  std::string name_;
  std::vector<std::string> documents_;
  bool repeat_;
  std::string separator_ = " ";
  std::string text_;
  std::vector<std::string_view> sentences_;  ///< into text_
};

/// The endless prose, generated as far as it has been asked for.
class ProseHaystack final : public Haystack {
 public:
  std::string_view sentence(std::int64_t index) const override {
    check(index >= 0, "a sentence's index is negative");
    const auto at = static_cast<std::size_t>(index);
    const std::lock_guard lock(mutex_);
    while (sentences_.size() <= at) {
      sentences_.push_back(prose_sentence(static_cast<std::int64_t>(sentences_.size())));
    }
    return sentences_[at];
  }

  std::int64_t size() const override { return -1; }
  std::string name() const override { return "prose"; }
  std::string sha256() const override { return sha256_hex(kProseVersion); }
  const std::vector<std::string>& documents() const override { return documents_; }

 private:
  mutable std::mutex mutex_;
  mutable std::deque<std::string> sentences_;  // a deque: views of its strings stay valid
  std::vector<std::string> documents_;
};

std::string read_text(const fs::path& path) {
  std::string text = read_file(path, "reading the haystack");
  if (valid_utf8(text) != text) {
    throw DataError(fmt::format(
        "reading the haystack {}: it is not UTF-8 text. Convert it (for example with iconv).",
        path.string()));
  }
  return text;
}

std::vector<fs::path> text_files(const fs::path& folder) {
  std::error_code error;
  std::vector<fs::path> files;
  for (fs::directory_iterator entry(folder, error), end; !error && entry != end;
       entry.increment(error)) {
    if (entry->path().extension() == ".txt") files.push_back(entry->path());
  }
  if (error) {
    throw DataError(fmt::format(
        "reading the haystack: cannot list folder {}: {}. Check `path` under `haystack:`.",
        folder.string(), error.message()));
  }
  std::sort(files.begin(), files.end());
  return files;
}

std::vector<std::string> read_essays(const fs::path& folder) {
  std::vector<std::string> documents;
  for (const auto& file : text_files(folder)) documents.push_back(read_text(file));
  if (documents.empty()) {
    throw DataError(fmt::format(
        "reading the haystack: folder {} holds no .txt file. Check `path` under `haystack:`.",
        folder.string()));
  }
  return documents;
}

std::vector<fs::path> kjv_candidates(const fs::path& given) {
  if (!given.empty()) return {given};
  return shipped_candidates("kjv.txt");
}

std::string read_kjv(const fs::path& given) {
  const auto candidates = kjv_candidates(given);
  const auto found = std::find_if(candidates.begin(), candidates.end(), [](const fs::path& path) {
    std::error_code error;
    return fs::is_regular_file(path, error);
  });
  if (found == candidates.end()) {
    std::vector<std::string> names;
    for (const auto& path : candidates) names.push_back(path.string());
    throw DataError(fmt::format(
        "haystack kjv: the King James text is not there (looked for {}). Install Debian's package "
        "bible-kjv and build again, or name the file: `haystack: {{kind: kjv, path: FILE}}`, or go "
        "without it: `haystack: {{kind: prose}}`.",
        fmt::join(names, ", ")));
  }
  std::string text = read_text(*found);
  const std::string digest = sha256_hex(text);
  if (digest != kKjvSha256) {
    throw DataError(fmt::format(
        "haystack kjv: {} has sha256 {}, expected {} (one verse a line, without references, as "
        "Debian's bible-kjv writes them). Every sample would differ; export it again, or use it as "
        "`haystack: {{kind: text, path: ...}}`.",
        found->string(), digest, kKjvSha256));
  }
  return text;
}

}  // namespace

HaystackSpec find_haystack(const std::string& name) {
  for (const HaystackKind kind : {HaystackKind::kKjv, HaystackKind::kProse})
    if (name == haystack_kind_name(kind)) return {kind, {}, false, {}};
  std::error_code ignored;
  if (std::filesystem::is_directory(name, ignored)) return {HaystackKind::kEssays, name, false, {}};
  if (std::filesystem::exists(name, ignored)) return {HaystackKind::kText, name, false, {}};
  throw UsageError(fmt::format(
      "haystack '{}': kjv, prose, a folder of .txt files or a text file was expected, and there is "
      "no such folder or file{}",
      valid_utf8(name), did_you_mean(name, {"kjv", "prose"})));
}

bool is_english(const HaystackSpec& spec) {
  const std::string primary = spec.language.substr(0, spec.language.find('-'));
  return primary.empty() || primary == "en";
}

void require_path(const HaystackSpec& spec) {
  const bool is_read = spec.kind == HaystackKind::kEssays || spec.kind == HaystackKind::kText;
  if (!is_read || !spec.path.empty()) return;
  throw UsageError(fmt::format("{} needs `path`: which {}?", haystack_kind_name(spec.kind),
                               spec.kind == HaystackKind::kEssays ? "folder" : "file"));
}

HaystackKind parse_haystack_kind(const std::string& name) {
  std::vector<std::string> names;
  for (const auto& [kind, known] : kNames) {
    if (name == known) return kind;
    names.emplace_back(known);
  }
  throw UsageError(fmt::format("there is no kind of haystack '{}'{} (kinds: {})", name,
                               did_you_mean(name, names), fmt::join(names, ", ")));
}

std::string haystack_kind_name(HaystackKind kind) {
  const auto* found = std::find_if(std::begin(kNames), std::end(kNames),
                                   [kind](const auto& entry) { return entry.first == kind; });
  check(found != std::end(kNames), "a haystack kind has no name");
  return found->second;
}

std::shared_ptr<const Haystack> open_haystack(const HaystackSpec& spec) {
  switch (spec.kind) {
    case HaystackKind::kProse:
      return std::make_shared<ProseHaystack>();
    case HaystackKind::kKjv:
      return std::make_shared<TextHaystack>("kjv", std::vector{read_kjv(spec.path)}, spec);
    case HaystackKind::kEssays: {
      require_path(spec);
      auto documents = read_essays(spec.path);
      auto name = fmt::format("essays ({} files)", documents.size());
      return std::make_shared<TextHaystack>(std::move(name), std::move(documents), spec);
    }
    case HaystackKind::kText:
      require_path(spec);
      return std::make_shared<TextHaystack>(fmt::format("text ({})", spec.path.filename().string()),
                                            std::vector{read_text(spec.path)}, spec);
  }
  throw std::logic_error("a haystack kind is not handled");
}

}  // namespace niah::tasks

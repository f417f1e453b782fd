// The text that hides the needle.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace niah::tasks {

/// Where haystack text comes from.
enum class HaystackKind {
  kKjv,     ///< the King James Version, exported at build time from Debian's bible-kjv-text
  kProse,   ///< our own generator of English-like sentences; never runs out
  kEssays,  ///< a folder of .txt files, joined in name order
  kText,    ///< one file
};

/// How to get a haystack. `path` is the folder or file of kEssays and kText. For kKjv it may name
/// the file; when it is empty the file is the kjv.txt that comes with the program
/// (harness/base/shipped_data.h).
struct HaystackSpec {
  HaystackKind kind = HaystackKind::kKjv;
  std::filesystem::path path;
  bool repeat = false;  ///< start again when the text ends; otherwise running out is an error
  /// Of essays and text, a tag such as "de" or "zh-Hant". English, also where none is given, is
  /// split into sentences by Punkt, any other by Unicode's rules.
  std::string language{};
};

/// Whether sentences of the spec's text are split by Punkt, which knows English alone.
bool is_english(const HaystackSpec& spec);

/// The haystack of that name: "kjv", "prose", a folder of .txt files, or a text file. Throws
/// UsageError when it is none of them.
HaystackSpec find_haystack(const std::string& name);

/// Throws UsageError for essays or text without a path.
void require_path(const HaystackSpec& spec);

/// "kjv", "prose", "essays", "text". Throws UsageError for another name, with the nearest one.
HaystackKind parse_haystack_kind(const std::string& name);
/// The name that parse_haystack_kind reads.
std::string haystack_kind_name(HaystackKind kind);

/// A haystack's text in sentences. Immutable and shared by all cells.
class Haystack {
 public:
  virtual ~Haystack() = default;
  /// Sentence `index` from the start, never empty, without surrounding white space. Past the end of
  /// a text that may not repeat this throws DataError naming the text, its size and the remedy
  /// (`repeat: true`, another text). Safe from several threads.
  virtual std::string_view sentence(std::int64_t index) const = 0;
  /// Number of sentences, or -1 when it never runs out (prose, or repeat).
  virtual std::int64_t size() const = 0;
  /// What comes between two sentences: a space, or nothing in a language written without.
  virtual std::string separator() const { return " "; }
  /// Name for reports ("kjv", "essays (49 files)").
  virtual std::string name() const = 0;
  /// Hash of the text (or of the generator's version), for fingerprints.
  virtual std::string sha256() const = 0;
  /// The texts it was read from, unaltered and in order; empty for prose. The reference protocols
  /// join and cut them in their own ways.
  virtual const std::vector<std::string>& documents() const = 0;
};

/// Reads or prepares the haystack. Throws DataError, naming the path and the config key, when the
/// text is missing.
std::shared_ptr<const Haystack> open_haystack(const HaystackSpec& spec);

}  // namespace niah::tasks

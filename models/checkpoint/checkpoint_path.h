// The location of a checkpoint: a folder, or a folder and a PEFT adapter on top of it.
#pragma once

#include <compare>
#include <concepts>
#include <filesystem>
#include <string>
#include <utility>

namespace niah::models {

/// Plain data for configs and command lines. A path converts to a folder without an adapter.
struct CheckpointPath {
  std::filesystem::path folder;
  std::filesystem::path adapter;  ///< empty: none

  CheckpointPath() = default;
  template <typename Path>
  requires std::convertible_to<Path, std::filesystem::path>
  // NOLINTNEXTLINE(bugprone-forwarding-reference-overload): no CheckpointPath converts to a path.
  CheckpointPath(Path&& only) : folder(std::forward<Path>(only)) {}
  CheckpointPath(std::filesystem::path base, std::filesystem::path on_top)
      : folder(std::move(base)), adapter(std::move(on_top)) {}

  bool empty() const { return folder.empty(); }
  bool has_adapter() const { return !adapter.empty(); }
  /// For messages: "checkpoints/base", or "checkpoints/base with the adapter runs/lora".
  std::string text() const {
    return has_adapter() ? folder.string() + " with the adapter " + adapter.string()
                         : folder.string();
  }
  /// The adapter's folder if there is an adapter, else the checkpoint's.
  const std::filesystem::path& own_folder() const { return has_adapter() ? adapter : folder; }

  friend bool operator==(const CheckpointPath&, const CheckpointPath&) = default;
  friend auto operator<=>(const CheckpointPath&, const CheckpointPath&) = default;
};

}  // namespace niah::models

// A file descriptor that closes itself, and writing to one.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <utility>

namespace niah {

/// Owns a file descriptor; -1 owns nothing.
class Descriptor {
 public:
  explicit Descriptor(int fd = -1) : fd_(fd) {}
  ~Descriptor() { close(); }
  Descriptor(Descriptor&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Descriptor& operator=(Descriptor&& other) noexcept {
    if (this != &other) {
      close();
      fd_ = std::exchange(other.fd_, -1);
    }
    return *this;
  }
  int get() const { return fd_; }
  bool is_open() const { return fd_ >= 0; }
  void close();

 private:
  int fd_;
};

/// The system's message for the current errno.
std::string system_reason();

/// Writes all of `bytes`; `path` is for the error. Throws DataError.
void write_all(int fd, std::string_view bytes, const std::filesystem::path& path);

}  // namespace niah

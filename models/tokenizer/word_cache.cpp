#include "models/tokenizer/word_cache.h"

#include <algorithm>
#include <bit>
#include <cstring>

namespace niah::models {
namespace {

constexpr std::size_t kProbes = 8;
constexpr std::size_t kBytesPerWord = 32;  ///< expected size of an entry; sets the slot count
constexpr std::uint64_t kMultiplier = 0x9E3779B97F4A7C15u;

std::uint64_t mix(std::uint64_t hash, std::uint64_t bits) {
  hash = (hash ^ bits) * kMultiplier;
  return hash ^ hash >> 29;
}

std::uint64_t load_tail(const char* bytes, std::size_t count) {
  std::uint64_t bits = 0;
  for (std::size_t i = 0; i < count; ++i) {
    bits |= static_cast<std::uint64_t>(static_cast<unsigned char>(bytes[i])) << (8 * i);
  }
  return bits;
}

}  // namespace

WordCache::WordCache(std::size_t capacity)
    : slot_count_(std::bit_ceil(capacity / kBytesPerWord + kProbes)),
      slots_(std::make_unique<std::atomic<std::uint64_t>[]>(slot_count_)),
      arena_units_(capacity / kUnit),
      arena_(std::make_unique_for_overwrite<std::byte[]>(arena_units_ * kUnit)) {}

WordCache::Key WordCache::key(std::string_view word) {
  std::uint64_t hash = word.size();
  const char* bytes = word.data();
  std::size_t left = word.size();
  for (; left >= 8; bytes += 8, left -= 8) {
    std::uint64_t bits;
    std::memcpy(&bits, bytes, 8);
    hash = mix(hash, bits);
  }
  return {word, mix(mix(hash, load_tail(bytes, left)), 0)};
}

std::size_t WordCache::first_slot(const Key& key) const { return key.hash & (slot_count_ - 1); }

const WordCache::Header* WordCache::entry(std::uint64_t slot) const {
  return reinterpret_cast<const Header*>(&arena_[((slot & 0xFFFFFFFFu) - 1) * kUnit]);
}

std::optional<std::span<const TokenId>> WordCache::find(const Key& key) const {
  std::size_t at = first_slot(key);
  for (std::size_t probe = 0; probe < kProbes; ++probe, at = (at + 1) & (slot_count_ - 1)) {
    const std::uint64_t slot = slots_[at].load(std::memory_order_acquire);
    if (slot == 0) return std::nullopt;
    if (slot >> 32 != key.hash >> 32) continue;
    const Header* header = entry(slot);
    const auto* ids = reinterpret_cast<const TokenId*>(header + 1);
    const auto* word = reinterpret_cast<const char*>(ids + header->id_count);
    if (std::string_view(word, header->word_bytes) != key.word) continue;
    return std::span<const TokenId>(ids, header->id_count);
  }
  return std::nullopt;
}

void WordCache::insert(const Key& key, std::span<const TokenId> ids) {
  if (key.word.size() > kMaxWordBytes) return;
  const std::size_t bytes = sizeof(Header) + ids.size_bytes() + key.word.size();
  const std::size_t units = (bytes + kUnit - 1) / kUnit;
  const std::lock_guard lock(writing_);
  if (used_units_ + units > arena_units_ || find(key)) return;
  std::size_t at = first_slot(key);
  for (std::size_t probe = 0; probe < kProbes; ++probe, at = (at + 1) & (slot_count_ - 1)) {
    if (slots_[at].load(std::memory_order_relaxed) != 0) continue;
    std::byte* out = &arena_[used_units_ * kUnit];
    const Header header{static_cast<std::uint32_t>(key.word.size()),
                        static_cast<std::uint32_t>(ids.size())};
    const std::span<const Header> head(&header, 1);
    const std::span<const char> word(key.word);
    out = std::ranges::copy(std::as_bytes(head), out).out;
    out = std::ranges::copy(std::as_bytes(ids), out).out;
    std::ranges::copy(std::as_bytes(word), out);
    slots_[at].store((key.hash >> 32) << 32 | (used_units_ + 1), std::memory_order_release);
    used_units_ += units;
    return;
  }
}

}  // namespace niah::models

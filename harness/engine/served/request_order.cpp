#include "harness/engine/served/request_order.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <numeric>

namespace niah::served {
namespace {

/// FNV-1a over the ids, with the final mixing of splitmix64: short prompts that are nearly equal
/// must not stay neighbours.
std::uint64_t content_hash(const PromptIds& ids, std::uint64_t salt) {
  std::uint64_t hash = 0xcbf29ce484222325U ^ salt;
  for (const std::int32_t id : ids) hash = (hash ^ static_cast<std::uint32_t>(id)) * 0x100000001b3U;
  hash = (hash ^ hash >> 30U) * 0xbf58476d1ce4e5b9U;
  hash = (hash ^ hash >> 27U) * 0x94d049bb133111ebU;
  return hash ^ hash >> 31U;
}

// Two salts, so that the prompts that are asked twice are not all at one end of a shuffled list.
constexpr std::uint64_t kOrderSalt = 0, kTwiceSalt = 0x9e3779b97f4a7c15U;

}  // namespace

std::vector<std::size_t> order_of(const std::vector<Request>& requests, const std::string& order) {
  std::vector<std::size_t> places(requests.size());
  std::iota(places.begin(), places.end(), std::size_t{0});
  if (order == "shuffled") {
    std::vector<std::uint64_t> keys;
    for (const Request& request : requests) keys.push_back(content_hash(request.ids, kOrderSalt));
    std::stable_sort(places.begin(), places.end(),
                     [&](std::size_t a, std::size_t b) { return keys[a] < keys[b]; });
  } else {
    std::stable_sort(places.begin(), places.end(), [&](std::size_t a, std::size_t b) {
      return requests[a].ids < requests[b].ids;
    });
  }
  return places;
}

bool is_asked_twice(const PromptIds& ids, double share) {
  const double place = std::ldexp(static_cast<double>(content_hash(ids, kTwiceSalt) >> 11U), -53);
  return place < share;
}

}  // namespace niah::served

#include "reports/draw/png.h"

#include <fmt/format.h>
#include <librsvg/rsvg.h>
#include <sys/mman.h>

#include <cmath>
#include <memory>

#include "harness/base/error.h"

#ifdef __SANITIZE_ADDRESS__
// fontconfig, which librsvg uses, keeps its font data until the process ends. LeakSanitizer must
// not report that as a leak of this program.
extern "C" const char* __lsan_default_suppressions() { return "leak:libfontconfig\n"; }
extern "C" const char* __lsan_default_options() { return "print_suppressions=0"; }
#endif

namespace niah::reports {
namespace {

struct Release {
  void operator()(RsvgHandle* handle) const { g_object_unref(handle); }
  void operator()(GError* error) const { g_error_free(error); }
  void operator()(cairo_surface_t* surface) const { cairo_surface_destroy(surface); }
  void operator()(cairo_t* context) const { cairo_destroy(context); }
};

template <typename T>
using Owned = std::unique_ptr<T, Release>;

[[noreturn]] void refuse(GError* error) {
  const Owned<GError> owned(error);
  throw DataError(fmt::format("drawing a picture as PNG: {}", owned ? owned->message : "failed"));
}

void check_cairo(cairo_status_t status) {
  if (status != CAIRO_STATUS_SUCCESS)
    throw DataError(fmt::format("drawing a picture as PNG: {}", cairo_status_to_string(status)));
}

cairo_status_t append(void* to, const unsigned char* bytes, unsigned int size) {
  static_cast<std::string*>(to)->append(reinterpret_cast<const char*>(bytes), size);
  return CAIRO_STATUS_SUCCESS;
}

/// GLib and librsvg abort the program if an allocation fails, as under an address-space limit, so
/// check first that there is enough room.
void require_room(std::size_t pixels) {
  constexpr std::size_t kForLibraries = std::size_t{256} << 20;  // including fonts and their caches
  const std::size_t bytes = kForLibraries + 8 * pixels;
  void* room = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (room == MAP_FAILED)
    throw DataError(fmt::format(
        "drawing a picture as PNG: out of memory, {} MiB are needed (is there a limit, ulimit -v?)",
        bytes >> 20));
  ::munmap(room, bytes);
}

}  // namespace

std::optional<std::string> png_of_svg(std::string_view svg, double scale) {
  require_room(0);
  GError* error = nullptr;
  const Owned<RsvgHandle> handle(
      rsvg_handle_new_from_data(reinterpret_cast<const guint8*>(svg.data()), svg.size(), &error));
  if (!handle) refuse(error);
  gdouble width = 0, height = 0;
  if (rsvg_handle_get_intrinsic_size_in_pixels(handle.get(), &width, &height) == 0)
    throw DataError("drawing a picture as PNG: it has no size");

  const RsvgRectangle viewport{0, 0, std::ceil(width * scale), std::ceil(height * scale)};
  require_room(static_cast<std::size_t>(viewport.width * viewport.height));
  const Owned<cairo_surface_t> surface(cairo_image_surface_create(
      CAIRO_FORMAT_RGB24, static_cast<int>(viewport.width), static_cast<int>(viewport.height)));
  const Owned<cairo_t> context(cairo_create(surface.get()));
  check_cairo(cairo_status(context.get()));
  if (rsvg_handle_render_document(handle.get(), context.get(), &viewport, &error) == 0)
    refuse(error);
  std::string png;
  check_cairo(cairo_surface_write_to_png_stream(surface.get(), append, &png));
  return png;
}

}  // namespace niah::reports

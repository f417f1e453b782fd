// The pages in a real browser, at desktop and phone width.
#include <cairo.h>
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <sys/wait.h>

#include <array>
#include <cstdio>
#include <cstring>
#include <functional>
#include <memory>
#include <nlohmann/json.hpp>
#include <set>

#include "harness/base/files.h"
#include "harness/base/text.h"
#include "reports/report.h"
#include "tests/machine.h"
#include "tests/reports/synthetic_run.h"
#include "tests/temporary_folder.h"

namespace niah::reports {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

/// The output of a shell command; throws if it fails.
std::string output_of(const std::string& command) {
  const std::unique_ptr<FILE, int (*)(FILE*)> pipe(::popen(command.c_str(), "r"), ::pclose);
  std::string out;
  std::array<char, 65536> buffer{};
  while (std::size_t count = std::fread(buffer.data(), 1, buffer.size(), pipe.get()))
    out.append(buffer.data(), count);
  return out;
}

/// The path of Chromium; "" if this machine does not have it.
std::string find_browser() {
  std::string path = output_of(
      "command -v chromium || command -v chromium-browser || command -v google-chrome || true");
  while (!path.empty() && path.back() == '\n') path.pop_back();
  return path;
}

/// A picture's size and its number of colours.
struct Picture {
  int width = 0, height = 0;
  std::size_t colours = 0;
};

Picture look_at(const fs::path& png) {
  const std::unique_ptr<cairo_surface_t, void (*)(cairo_surface_t*)> surface(
      cairo_image_surface_create_from_png(png.c_str()), cairo_surface_destroy);
  EXPECT_EQ(cairo_surface_status(surface.get()), CAIRO_STATUS_SUCCESS) << png;
  Picture picture{cairo_image_surface_get_width(surface.get()),
                  cairo_image_surface_get_height(surface.get())};
  const unsigned char* data = cairo_image_surface_get_data(surface.get());
  std::set<std::uint32_t> colours;
  for (int y = 0; y < picture.height; ++y)
    for (int x = 0; x < picture.width; ++x) {
      std::uint32_t pixel = 0;
      std::memcpy(&pixel, data + y * cairo_image_surface_get_stride(surface.get()) + 4 * x, 4);
      colours.insert(pixel);
    }
  picture.colours = colours.size();
  return picture;
}

/// A page that reports on the laid-out report: its size, elements and text.
constexpr const char* kLookInside = R"(<!doctype html><meta charset="utf-8">
<body style="margin:0"><iframe id="page" src="report.html" style="border:0;width:{0}px;height:{1}px"></iframe>
<pre id="found"></pre><script>
onload = () => {{
  const page = document.getElementById('page').contentDocument;
  const count = what => page.querySelectorAll(what).length;
  document.getElementById('found').textContent = 'found:' + encodeURIComponent(JSON.stringify({{
    width: page.documentElement.scrollWidth, height: page.documentElement.scrollHeight,
    active: count('script,iframe,object,embed,form,img,link,base,meta[http-equiv=refresh]'),
    maps: count('svg.map'), sections: count('section'), tables: count('table'),
    handlers: [...page.querySelectorAll('*')].filter(
      e => [...e.attributes].some(a => a.name.startsWith('on'))).length,
    text: page.body.textContent.slice(-200000)}})) + ':end';
}};
</script>)";

class Browser : public testing::Test {
 protected:
  void SetUp() override {
    browser_ = find_browser();
    if (browser_.empty()) NIAH_CANNOT_RUN("no Chromium on this machine");
  }

  /// Runs the browser until `done` accepts its output. Headless Chromium occasionally hangs with
  /// any page, so it gets three attempts, each with a fresh profile.
  std::string run(const std::string& options, const fs::path& page,
                  const std::function<bool(const std::string&)>& done) const {
    std::string output;
    for (int go = 0; go < 3; ++go) {
      output = output_of(fmt::format(
          "timeout -k 5 30 '{}' --headless --no-sandbox --disable-gpu --disable-quic "
          "--no-first-run --disable-background-networking --disable-component-update "
          "--disable-sync --disable-dev-shm-usage --hide-scrollbars "
          "--allow-file-access-from-files --virtual-time-budget=10000 --user-data-dir='{}' {} "
          "'file://{}' 2> '{}'",
          browser_, (folder_.path() / fmt::format("profile-{}", go)).string(), options,
          page.string(), (folder_.path() / "browser.log").string()));
      if (done(output)) break;
    }
    return output;
  }

  /// The report, laid out at a size: what kLookInside says of it, and a screenshot.
  struct Look {
    json found;
    Picture picture;
  };

  /// Looks at the report in a frame, since a browser window cannot be narrower than 500 pixels.
  Look look_inside(int width, int height) const {
    const fs::path page = folder_.path() / "look.html";
    write_file(page, fmt::format(fmt::runtime(kLookInside), width, height));
    const fs::path png = folder_.path() / fmt::format("{}.png", width);
    const std::string dom = run(
        fmt::format("--dump-dom --screenshot='{}' --window-size={},{}", png.string(),
                    std::max(width, 500), height),
        page, [&](const std::string& output) {
          return output.find(":end", output.find("found:")) != std::string::npos && fs::exists(png);
        });
    const std::size_t begin = dom.find("found:"), end = dom.find(":end", begin);
    EXPECT_NE(end, std::string::npos) << dom.substr(0, 2000);
    if (end == std::string::npos) return {};
    return {json::parse(decode(dom.substr(begin + 6, end - begin - 6))), look_at(png)};
  }

  /// How many pages the page is on paper.
  std::size_t count_printed(const fs::path& page) const {
    const fs::path pdf = page.string() + ".pdf";
    run(fmt::format("--no-pdf-header-footer --print-to-pdf='{}'", pdf.string()), page,
        [&](const std::string&) { return fs::exists(pdf); });
    const std::string content = read_file(pdf, "reading what was printed");
    constexpr std::string_view kPage = "/Type /Page\n";
    std::size_t pages = 0;
    for (std::size_t at = 0; (at = content.find(kPage, at)) != content.npos; at += kPage.size())
      ++pages;
    return pages;
  }

  static std::string decode(const std::string& text) {
    std::string out;
    for (std::size_t i = 0; i < text.size(); ++i) {
      if (text[i] != '%') {
        out += text[i];
        continue;
      }
      out += static_cast<char>(std::stoi(text.substr(i + 1, 2), nullptr, 16));
      i += 2;
    }
    return out;
  }

  std::string browser_;
  TemporaryFolder folder_;
};

TEST_F(Browser, ShowsTheReportOnADesktopAndOnAPhone) {
  const RunInfo info = synthetic_info();
  write_report(info, synthetic_records(info, 16), folder_.path());
  for (const int width : {1280, 390}) {
    const auto [found, picture] = look_inside(width, 900);
    EXPECT_LE(found["width"], width) << "the page scrolls sideways";
    EXPECT_GT(found["height"], 2000);
    EXPECT_EQ(found["active"], 0);
    EXPECT_EQ(found["handlers"], 0);
    // 5 variants and 4 differences on 3 tasks, and two legends.
    EXPECT_EQ(found["maps"], 5 * 3 + 4 * 3 + 2);
    EXPECT_GE(found["sections"], 8);
    EXPECT_EQ(picture.width, std::max(width, 500));
    EXPECT_EQ(picture.height, 900);
    EXPECT_GT(picture.colours, 50U) << "hardly anything is drawn";
  }
}

TEST_F(Browser, PrintsWhatIsFolded) {
  const RunInfo info = synthetic_info();
  write_report(info, synthetic_records(info, 16), folder_.path());
  const fs::path report = folder_.path() / "report.html", open = folder_.path() / "open.html";
  write_file(open, replace_all(read_file(report, "reading the page"), "<details", "<details open"));
  const std::size_t pages = count_printed(report);
  EXPECT_GT(pages, 1U);
  EXPECT_EQ(pages, count_printed(open));
}

TEST_F(Browser, ShowsHostileOutputAsText) {
  RunInfo info = synthetic_info();
  info.variants.resize(1);
  info.tasks = {"s1", "s2"};  // the page shows two misses of each
  info.lengths = {4096};
  const std::vector<std::string> hostile = {
      "<script>document.title='gotcha'</script>",
      "\"><img src=x onerror=\"document.title='gotcha'\">",
      "</code></li></ul></details></section></main><iframe src=x>",
      "<style>body{display:none}</style>&lt;b&gt;<!-- "};
  std::vector<Record> records;
  for (std::size_t i = 0; i < hostile.size(); ++i) {
    records.push_back(
        missed(synthetic_record("f-base", info.tasks[i % 2], 4096, static_cast<std::int64_t>(i))));
    records.back().text = hostile[i];
  }
  write_report(info, records, folder_.path());
  const json found = look_inside(1280, 900).found;
  EXPECT_EQ(found["active"], 0);
  EXPECT_EQ(found["handlers"], 0);
  EXPECT_GT(found["height"], 900);
  const auto text = found["text"].get<std::string>();
  EXPECT_NE(text.find("How to reproduce"), std::string::npos) << "the page ends early";
  for (const std::string& output : hostile)
    EXPECT_NE(text.find(output), std::string::npos) << output;
}

TEST_F(Browser, StaysUsableWithFortyLengthsAndTwelveVariants) {
  RunInfo info = synthetic_info();
  info.lengths.clear();
  for (std::int64_t i = 1; i <= 40; ++i) info.lengths.push_back(i * 6400);
  info.variants.resize(3);
  for (int i = 1; i <= 9; ++i)
    info.variants.push_back({fmt::format("f-qk-{}", i), "hypenet", fmt::format("qk-pro {}", i),
                             fmt::format("QK-Pro λ=0.{}: routing from base", i)});
  write_report(info, synthetic_records(info, 4), folder_.path());
  EXPECT_LT(fs::file_size(folder_.path() / "report.html"), 20U << 20U);
  for (const int width : {1280, 390}) {
    const auto [found, picture] = look_inside(width, 900);
    EXPECT_LE(found["width"], width) << "the page scrolls sideways";
    EXPECT_EQ(found["maps"], 12 * 3 + 11 * 3 + 2);
    EXPECT_GT(picture.colours, 50U);
  }
}

}  // namespace
}  // namespace niah::reports

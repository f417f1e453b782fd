// The page of `niah diagnose`, and its files.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "reports/diagnosis/diagnosis.h"

namespace niah::reports {

/// The page, with links to `files` that lie beside it.
std::string diagnosis_page(const Diagnosis& diagnosis, const std::vector<std::string>& files);

/// Writes diagnose.html and its tables (CSV) into a folder. Throws DataError.
void write_diagnosis(const Diagnosis& diagnosis, const std::filesystem::path& out);

/// Whether a file's content is such a page, of this version or an earlier one.
bool is_diagnosis_page(std::string_view content);

/// The page's name, for reports that link to it.
inline constexpr const char* kDiagnosisPage = "diagnose.html";

}  // namespace niah::reports

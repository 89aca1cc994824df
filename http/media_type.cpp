// SPDX-License-Identifier: MIT
#include "http/media_type.hpp"

#include <algorithm>
#include <array>
#include <cstddef>

#include "http/characters.hpp"

namespace http {
namespace {

struct row {
    std::string_view extension;  // in lower case
    media_type type;
};

constexpr auto compressible = compression::helps;
constexpr auto opaque = compression::may_help;
constexpr auto dense = compression::useless;

/// The types of the IANA registry if it has one, otherwise those that browsers send and expect. text/* and SVG declare
/// UTF-8, because clients would otherwise guess. JSON and related formats are always UTF-8 (RFC 8259) and have no such
/// parameter; XML declares its encoding itself. JavaScript is text/javascript (RFC 9239). Source code is shown as plain
/// text.
constexpr auto table = std::to_array<row>({
    {"3gp", {"video/3gpp", dense}},
    {"7z", {"application/x-7z-compressed", dense}},
    {"aac", {"audio/aac", dense}},
    {"ai", {"application/postscript", compressible}},
    {"aif", {"audio/x-aiff", compressible}},
    {"aiff", {"audio/x-aiff", compressible}},
    {"apk", {"application/vnd.android.package-archive", dense}},
    {"apng", {"image/apng", dense}},
    {"appcache", {"text/cache-manifest; charset=utf-8", compressible}},
    {"asc", {"text/plain; charset=utf-8", compressible}},
    {"atom", {"application/atom+xml", compressible}},
    {"avi", {"video/x-msvideo", dense}},
    {"avif", {"image/avif", dense}},
    {"bin", {"application/octet-stream", opaque}},
    {"bmp", {"image/bmp", compressible}},
    {"br", {"application/x-brotli", dense}},
    {"bz2", {"application/x-bzip2", dense}},
    {"c", {"text/plain; charset=utf-8", compressible}},
    {"cbor", {"application/cbor", compressible}},
    {"cc", {"text/plain; charset=utf-8", compressible}},
    {"cer", {"application/pkix-cert", opaque}},
    {"cjs", {"text/javascript; charset=utf-8", compressible}},
    {"conf", {"text/plain; charset=utf-8", compressible}},
    {"cpp", {"text/plain; charset=utf-8", compressible}},
    {"crl", {"application/pkix-crl", opaque}},
    {"crt", {"application/x-x509-ca-cert", opaque}},
    {"css", {"text/css; charset=utf-8", compressible}},
    {"csv", {"text/csv; charset=utf-8", compressible}},
    {"cur", {"image/x-icon", compressible}},
    {"deb", {"application/vnd.debian.binary-package", dense}},
    {"diff", {"text/x-diff; charset=utf-8", compressible}},
    {"dmg", {"application/x-apple-diskimage", dense}},
    {"doc", {"application/msword", compressible}},
    {"docx", {"application/vnd.openxmlformats-officedocument.wordprocessingml.document", dense}},
    {"eot", {"application/vnd.ms-fontobject", compressible}},
    {"eps", {"application/postscript", compressible}},
    {"epub", {"application/epub+zip", dense}},
    {"exe", {"application/vnd.microsoft.portable-executable", opaque}},
    {"flac", {"audio/flac", dense}},
    {"flv", {"video/x-flv", dense}},
    {"geojson", {"application/geo+json", compressible}},
    {"gif", {"image/gif", dense}},
    {"glb", {"model/gltf-binary", compressible}},
    {"gltf", {"model/gltf+json", compressible}},
    {"go", {"text/plain; charset=utf-8", compressible}},
    {"gpx", {"application/gpx+xml", compressible}},
    {"gz", {"application/gzip", dense}},
    {"h", {"text/plain; charset=utf-8", compressible}},
    {"har", {"application/json", compressible}},
    {"heic", {"image/heic", dense}},
    {"heif", {"image/heif", dense}},
    {"hpp", {"text/plain; charset=utf-8", compressible}},
    {"htm", {"text/html; charset=utf-8", compressible}},
    {"html", {"text/html; charset=utf-8", compressible}},
    {"ico", {"image/x-icon", compressible}},
    {"ics", {"text/calendar; charset=utf-8", compressible}},
    {"ini", {"text/plain; charset=utf-8", compressible}},
    {"ipynb", {"application/x-ipynb+json", compressible}},
    {"iso", {"application/x-iso9660-image", opaque}},
    {"jar", {"application/java-archive", dense}},
    {"java", {"text/plain; charset=utf-8", compressible}},
    {"jfif", {"image/jpeg", dense}},
    {"jpeg", {"image/jpeg", dense}},
    {"jpg", {"image/jpeg", dense}},
    {"js", {"text/javascript; charset=utf-8", compressible}},
    {"json", {"application/json", compressible}},
    {"json5", {"application/json5", compressible}},
    {"jsonl", {"application/jsonl", compressible}},
    {"jsonld", {"application/ld+json", compressible}},
    {"jxl", {"image/jxl", dense}},
    {"kml", {"application/vnd.google-earth.kml+xml", compressible}},
    {"kmz", {"application/vnd.google-earth.kmz", dense}},
    {"ktx2", {"image/ktx2", opaque}},
    {"log", {"text/plain; charset=utf-8", compressible}},
    {"lua", {"text/plain; charset=utf-8", compressible}},
    {"m3u8", {"application/vnd.apple.mpegurl", compressible}},
    {"m4a", {"audio/mp4", dense}},
    {"m4b", {"audio/mp4", dense}},
    {"m4v", {"video/mp4", dense}},
    {"map", {"application/json", compressible}},
    {"markdown", {"text/markdown; charset=utf-8", compressible}},
    {"md", {"text/markdown; charset=utf-8", compressible}},
    {"mid", {"audio/midi", compressible}},
    {"midi", {"audio/midi", compressible}},
    {"mjs", {"text/javascript; charset=utf-8", compressible}},
    {"mka", {"audio/matroska", dense}},
    {"mkv", {"video/matroska", dense}},
    {"mov", {"video/quicktime", dense}},
    {"mp3", {"audio/mpeg", dense}},
    {"mp4", {"video/mp4", dense}},
    {"mpd", {"application/dash+xml", compressible}},
    {"mpeg", {"video/mpeg", dense}},
    {"mpg", {"video/mpeg", dense}},
    {"msi", {"application/x-msi", opaque}},
    {"ndjson", {"application/x-ndjson", compressible}},
    {"obj", {"model/obj", compressible}},
    {"odp", {"application/vnd.oasis.opendocument.presentation", dense}},
    {"ods", {"application/vnd.oasis.opendocument.spreadsheet", dense}},
    {"odt", {"application/vnd.oasis.opendocument.text", dense}},
    {"oga", {"audio/ogg", dense}},
    {"ogg", {"audio/ogg", dense}},
    {"ogv", {"video/ogg", dense}},
    {"opml", {"text/x-opml; charset=utf-8", compressible}},
    {"opus", {"audio/ogg", dense}},
    {"otf", {"font/otf", compressible}},
    {"patch", {"text/x-diff; charset=utf-8", compressible}},
    {"pdf", {"application/pdf", opaque}},
    {"pem", {"application/x-pem-file", compressible}},
    {"png", {"image/png", dense}},
    {"ppt", {"application/vnd.ms-powerpoint", compressible}},
    {"pptx", {"application/vnd.openxmlformats-officedocument.presentationml.presentation", dense}},
    {"ps", {"application/postscript", compressible}},
    {"py", {"text/plain; charset=utf-8", compressible}},
    {"rar", {"application/vnd.rar", dense}},
    {"rb", {"text/plain; charset=utf-8", compressible}},
    {"rdf", {"application/rdf+xml", compressible}},
    {"rpm", {"application/x-rpm", dense}},
    {"rs", {"text/plain; charset=utf-8", compressible}},
    {"rss", {"application/rss+xml", compressible}},
    {"rst", {"text/plain; charset=utf-8", compressible}},
    {"rtf", {"application/rtf", compressible}},
    {"sh", {"text/plain; charset=utf-8", compressible}},
    {"shtml", {"text/html; charset=utf-8", compressible}},
    {"sql", {"application/sql", compressible}},
    {"srt", {"text/plain; charset=utf-8", compressible}},
    {"stl", {"model/stl", compressible}},
    {"svg", {"image/svg+xml; charset=utf-8", compressible}},
    {"svgz", {"image/svg+xml; charset=utf-8", dense, coding::gzip}},
    {"tar", {"application/x-tar", compressible}},
    {"tex", {"text/plain; charset=utf-8", compressible}},
    {"tgz", {"application/gzip", dense}},
    {"tif", {"image/tiff", dense}},
    {"tiff", {"image/tiff", dense}},
    {"toml", {"application/toml", compressible}},
    {"torrent", {"application/x-bittorrent", opaque}},
    {"ts", {"video/mp2t", dense}},
    {"tsv", {"text/tab-separated-values; charset=utf-8", compressible}},
    {"ttc", {"font/collection", compressible}},
    {"ttf", {"font/ttf", compressible}},
    {"ttml", {"application/ttml+xml", compressible}},
    {"txt", {"text/plain; charset=utf-8", compressible}},
    {"usdz", {"model/vnd.usdz+zip", dense}},
    {"vcf", {"text/vcard; charset=utf-8", compressible}},
    {"vtt", {"text/vtt; charset=utf-8", compressible}},
    {"wasm", {"application/wasm", compressible}},
    {"wav", {"audio/wav", dense}},
    {"weba", {"audio/webm", dense}},
    {"webm", {"video/webm", dense}},
    {"webmanifest", {"application/manifest+json", compressible}},
    {"webp", {"image/webp", dense}},
    {"wgsl", {"text/wgsl; charset=utf-8", compressible}},
    {"woff", {"font/woff", dense}},
    {"woff2", {"font/woff2", dense}},
    {"xht", {"application/xhtml+xml; charset=utf-8", compressible}},
    {"xhtml", {"application/xhtml+xml; charset=utf-8", compressible}},
    {"xls", {"application/vnd.ms-excel", compressible}},
    {"xlsx", {"application/vnd.openxmlformats-officedocument.spreadsheetml.sheet", dense}},
    {"xml", {"application/xml", compressible}},
    {"xsl", {"application/xslt+xml", compressible}},
    {"xslt", {"application/xslt+xml", compressible}},
    {"xz", {"application/x-xz", dense}},
    {"yaml", {"application/yaml", compressible}},
    {"yml", {"application/yaml", compressible}},
    {"zip", {"application/zip", dense}},
    {"zst", {"application/zstd", dense}},
});

static_assert(std::ranges::is_sorted(table, std::ranges::less_equal{}, &row::extension), "sorted, and none twice");

constexpr media_type unknown{"application/octet-stream", opaque};
constexpr std::size_t longest_extension =
    std::ranges::max(table, {}, [](const row& r) { return r.extension.size(); }).extension.size();

}  // namespace

media_type media_type_of(std::string_view file_name) noexcept
{
    const auto dot = file_name.find_last_of("./");
    if (dot == std::string_view::npos || file_name[dot] != '.') return unknown;
    const std::string_view extension = file_name.substr(dot + 1);
    if (extension.size() > longest_extension) return unknown;

    std::array<char, longest_extension> lower{};
    std::ranges::transform(extension, lower.begin(), to_lower);
    const std::string_view wanted(lower.data(), extension.size());
    const auto found = std::ranges::lower_bound(table, wanted, {}, &row::extension);
    return found != table.end() && found->extension == wanted ? found->type : unknown;
}

}  // namespace http

// A parsed HTML page, and XPath questions to it.
//
// libxml2 reads what browsers read; here are the limits it lacks, since pages are written by
// strangers: bytes, elements, nesting, attributes of one tag, XPath steps and the size of an
// answer. Nothing is ever loaded: no network, no external entity, no file. One thread at a time; a
// Document may move between threads.
#ifndef FERMATA_PLUGINS_HTML_DOCUMENT_H_
#define FERMATA_PLUGINS_HTML_DOCUMENT_H_

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/statusor.h"

struct _xmlDoc;

namespace fermata::html {

// True when nobody waits for the answer any more. Asked every few KiB of input.
using Stop = absl::FunctionRef<bool()>;

struct Limits {
  std::size_t page_bytes_max = 8 << 20;
  int depth_max = 2048;       // open tags; a browser stops at 512
  int attributes_max = 4096;  // of one tag: libxml2 compares each with all before it
  long elements_max = 100'000;
  std::size_t answer_bytes_max = 16 << 20;
};

enum class Form {
  kText,  // text content, white space collapsed and trimmed
  kRaw,   // text content as it is
  kHtml,  // the node itself, serialised
};

struct Question {
  std::string xpath;
  std::string attribute;  // not empty: this attribute of each matched element that has it
  Form form = Form::kText;
  std::size_t limit = static_cast<std::size_t>(-1);  // at most this many answers
};

// Strings for nodes; a single number or boolean for an expression that computes one.
using Answer = std::variant<std::string, double, bool>;

class Document {
 public:
  // `html` is UTF-8; what is not becomes whatever libxml2 makes of it, never an overrun.
  static absl::StatusOr<Document> parse(std::string_view html, const Limits& limits, Stop stop);

  absl::StatusOr<std::vector<Answer>> ask(const Question& question) const;

  // href of the first <base>, or empty.
  std::string base_href() const;

 private:
  struct Free {
    void operator()(_xmlDoc* doc) const;
  };
  Document(_xmlDoc* doc, const Limits& limits) : doc_(doc), limits_(limits) {}

  std::unique_ptr<_xmlDoc, Free> doc_;  // null for an empty page
  Limits limits_;
  long elements_ = 0;
};

// Once per process, before threads parse: libxml2 has global tables.
void init_libxml2();

}  // namespace fermata::html

#endif  // FERMATA_PLUGINS_HTML_DOCUMENT_H_

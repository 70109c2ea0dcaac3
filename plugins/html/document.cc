#include "plugins/html/document.h"

#include <libxml/HTMLparser.h>
#include <libxml/HTMLtree.h>
#include <libxml/SAX2.h>
#include <libxml/parser.h>
#include <libxml/parserInternals.h>
#include <libxml/xpath.h>

#include <algorithm>
#include <cstring>

#include "absl/strings/str_cat.h"

namespace fermata::html {
namespace {

struct FreeParser {
  void operator()(htmlParserCtxt* parser) const { htmlFreeParserCtxt(parser); }
};

// What libxml2 reads from. It asks for a few KiB at a time, which is where the limits that it lacks
// are checked: the state of the parser is open to us.
class Source {
 public:
  Source(std::string_view html, const Limits& limits, Stop stop, htmlParserCtxt* parser)
      : rest_(html), limits_(limits), stop_(stop), parser_(parser) {
    parser_->_private = this;
    parser_->sax->startElement = &Source::start_element;
  }

  static int read(void* self, char* to, int size) {
    return static_cast<Source*>(self)->read_some(to, size);
  }

  const absl::Status& status() const { return status_; }

  // After the end too: the last few KiB may hold what a check is for.
  void check() {
    if (!status_.ok()) return;
    if (stop_()) {
      status_ = absl::CancelledError("stopped while reading the page");
    } else if (parser_->nameNr > limits_.depth_max) {
      status_ = absl::InvalidArgumentError(
          absl::StrCat("html: nested deeper than ", limits_.depth_max, " open tags"));
    } else if (parser_->maxatts > 2 * limits_.attributes_max) {
      status_ = absl::InvalidArgumentError(
          absl::StrCat("html: a tag with more than ", limits_.attributes_max, " attributes"));
    } else if (elements_ > limits_.elements_max) {
      status_ =
          absl::OutOfRangeError(absl::StrCat("html: more than ", limits_.elements_max,
                                             " elements (max_elements of this plugin's config)"));
    }
  }
  long elements() const { return elements_; }

 private:
  static void start_element(void* parser, const xmlChar* name, const xmlChar** attributes) {
    ++static_cast<Source*>(static_cast<htmlParserCtxt*>(parser)->_private)->elements_;
    xmlSAX2StartElement(parser, name, attributes);
  }

  int read_some(char* to, int size) {
    check();
    if (!status_.ok()) return 0;  // the end of the page, as far as libxml2 can see
    const std::size_t count = std::min(rest_.size(), static_cast<std::size_t>(size));
    // A NUL would end the page; a browser shows nothing for it in text.
    std::replace_copy(rest_.begin(), rest_.begin() + static_cast<std::ptrdiff_t>(count), to, '\0',
                      ' ');
    rest_.remove_prefix(count);
    return static_cast<int>(count);
  }

  std::string_view rest_;
  const Limits& limits_;
  Stop stop_;
  htmlParserCtxt* parser_;
  long elements_ = 0;
  absl::Status status_;
};

}  // namespace

void init_libxml2() {
  static const bool done = [] {
    xmlInitParser();
    return true;
  }();
  (void)done;
}

void Document::Free::operator()(_xmlDoc* doc) const { xmlFreeDoc(doc); }

absl::StatusOr<Document> Document::parse(std::string_view html, const Limits& limits, Stop stop) {
  init_libxml2();
  if (html.size() > limits.page_bytes_max) {
    return absl::OutOfRangeError(absl::StrCat("html: a page of ", html.size(),
                                              " bytes, the limit is ", limits.page_bytes_max,
                                              " (max_page_bytes of this plugin's config)"));
  }
  const std::unique_ptr<htmlParserCtxt, FreeParser> parser(htmlNewParserCtxt());
  if (parser == nullptr) return absl::ResourceExhaustedError("html: no memory for a parser");
  Source source(html, limits, stop, parser.get());
  // HUGE lifts libxml2's nesting limit of 256, at which it would silently drop the rest of the
  // page.
  const int options = HTML_PARSE_RECOVER | HTML_PARSE_NOERROR | HTML_PARSE_NOWARNING |
                      HTML_PARSE_NONET | HTML_PARSE_COMPACT | HTML_PARSE_IGNORE_ENC |
                      HTML_PARSE_NODEFDTD;
  htmlCtxtUseOptions(parser.get(), options);
  xmlDoc* doc = htmlCtxtReadIO(parser.get(), &Source::read, nullptr, &source, nullptr, "UTF-8",
                               options | XML_PARSE_HUGE);
  Document document(doc, limits);
  document.elements_ = source.elements();
  source.check();
  if (!source.status().ok()) return source.status();
  if (doc == nullptr && html.find_first_not_of(" \t\r\n") != std::string_view::npos &&
      parser->errNo == XML_ERR_NO_MEMORY) {
    return absl::ResourceExhaustedError("html: no memory for the page");
  }
  if (doc != nullptr) xmlXPathOrderDocElems(doc);  // makes sorting node sets linear
  return document;
}

std::string Document::base_href() const {
  if (doc_ == nullptr) return "";
  Question question;
  question.xpath = "//base[@href]";
  question.attribute = "href";
  question.limit = 1;
  absl::StatusOr<std::vector<Answer>> found = ask(question);
  if (!found.ok() || found->empty()) return "";
  return std::get<std::string>(found->front());
}

}  // namespace fermata::html

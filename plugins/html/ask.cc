// Document::ask: one XPath evaluation, and its nodes as text.
#include <libxml/HTMLtree.h>
#include <libxml/tree.h>
#include <libxml/xmlerror.h>
#include <libxml/xpath.h>

#include <algorithm>
#include <cstdarg>
#include <cstdio>
#include <utility>

#include "absl/strings/str_cat.h"
#include "plugins/html/document.h"

namespace fermata::html {
namespace {

template <auto kFree>
struct Free {
  template <class T>
  void operator()(T* what) const {
    kFree(what);
  }
};
using Context = std::unique_ptr<xmlXPathContext, Free<xmlXPathFreeContext>>;
using Expression = std::unique_ptr<xmlXPathCompExpr, Free<xmlXPathFreeCompExpr>>;
using Object = std::unique_ptr<xmlXPathObject, Free<xmlXPathFreeObject>>;
using Output = std::unique_ptr<xmlOutputBuffer, Free<xmlOutputBufferClose>>;

const xmlChar* x(const std::string& text) { return reinterpret_cast<const xmlChar*>(text.c_str()); }

// xmlFree is a variable of type pointer to function, so it cannot be a template argument.
std::string take(xmlChar* text) {
  if (text == nullptr) return "";
  std::string out(reinterpret_cast<const char*>(text));
  xmlFree(text);
  return out;
}

// What libxml2 says while one of these lives: it reports some faults to the context (a code and a
// place), others to a printf-like function of the thread, which would otherwise write to stderr.
class Complaints {
 public:
  explicit Complaints(xmlXPathContext* context)
      : old_function_(xmlGenericError), old_context_(xmlGenericErrorContext) {
    context->error = &Complaints::coded;
    context->userData = this;
    xmlSetGenericErrorFunc(this, &Complaints::printed);
  }
  ~Complaints() { xmlSetGenericErrorFunc(old_context_, old_function_); }
  Complaints(const Complaints&) = delete;
  Complaints& operator=(const Complaints&) = delete;

  std::string text() const {
    if (!printed_.empty()) return printed_;
    if (code_ == XML_XPATH_UNDEF_PREFIX_ERROR) return "a namespace prefix that HTML does not have";
    if (code_ == XML_XPATH_UNDEF_VARIABLE_ERROR) return "a variable that nobody set";
    return at_ > 0 ? absl::StrCat("stopped making sense at character ", at_ + 1) : "invalid";
  }

 private:
  static void coded(void* self, xmlErrorPtr error) {
    auto* complaints = static_cast<Complaints*>(self);
    if (error == nullptr || complaints->code_ != 0) return;
    complaints->code_ = error->code;
    complaints->at_ = error->int1;
  }

  __attribute__((format(printf, 2, 3))) static void printed(void* self, const char* format, ...) {
    std::string& out = static_cast<Complaints*>(self)->printed_;
    if (!out.empty()) return;  // the first names the cause
    char line[256];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(line, sizeof line, format, arguments);
    va_end(arguments);
    out = line;
    const std::size_t colon = out.find(": ");
    if (colon != std::string::npos) out.erase(0, colon + 2);  // libxml2's own function name
    while (out.ends_with('\n')) out.pop_back();
  }

  xmlGenericErrorFunc old_function_;
  void* old_context_;
  std::string printed_;
  int code_ = 0;
  int at_ = 0;
};

std::string collapsed(const std::string& text) {
  // U+00A0 is what pages write for a space that must stay; to a reader it is one.
  constexpr std::string_view kNoBreak = "\xC2\xA0";
  std::string out;
  bool space = false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (c == ' ' || (c >= '\t' && c <= '\r')) {
      space = true;
    } else if (std::string_view(text).substr(i, 2) == kNoBreak) {
      space = true;
      ++i;
    } else {
      if (space && !out.empty()) out.push_back(' ');
      space = false;
      out.push_back(c);
    }
  }
  return out;
}

std::string serialised(xmlDoc* doc, xmlNode* node) {
  // Without an encoder it writes UTF-8; without format it adds no line breaks of its own.
  const Output output(xmlAllocOutputBuffer(nullptr));
  if (output == nullptr) return "";
  htmlNodeDumpFormatOutput(output.get(), doc, node, "UTF-8", 0);
  xmlOutputBufferFlush(output.get());
  return std::string(reinterpret_cast<const char*>(xmlOutputBufferGetContent(output.get())),
                     xmlOutputBufferGetSize(output.get()));
}

// False when the node has no such thing.
bool node_text(xmlDoc* doc, xmlNode* node, const Question& question, std::string* out) {
  if (node->type == XML_NAMESPACE_DECL) return false;  // not a real node; HTML has none
  if (!question.attribute.empty()) {
    if (node->type != XML_ELEMENT_NODE) return false;
    xmlChar* value = xmlGetNoNsProp(node, x(question.attribute));
    if (value == nullptr) return false;
    *out = take(value);
    return true;
  }
  const bool element = node->type == XML_ELEMENT_NODE || node->type == XML_HTML_DOCUMENT_NODE;
  if (question.form == Form::kHtml && element) {
    *out = serialised(doc, node);
  } else {
    *out = take(xmlNodeGetContent(node));
    // White space in an attribute is the author's, in text it is the page's layout.
    if (question.form == Form::kText && node->type != XML_ATTRIBUTE_NODE) *out = collapsed(*out);
  }
  return true;
}

// libxml2 counts visited nodes, but joining two node sets costs their product and is not counted:
// `//li/following-sibling::li` on a long list is cubic. So the more elements, the fewer steps each
// may cost; the floor is what reasonable expressions need, measured on real pages.
unsigned long steps_max(long elements) {
  constexpr long kWork = 1'000'000'000;
  constexpr long kStepsPerElement = 12;
  const long nodes = std::max(elements, 1000L);
  return static_cast<unsigned long>(std::max(kWork / nodes, kStepsPerElement * nodes));
}

absl::Status too_large(std::size_t limit) {
  return absl::OutOfRangeError(
      absl::StrCat("xpath: the answer is larger than ", limit,
                   " bytes; ask for less, or raise max_answer_bytes in this plugin's config"));
}

absl::StatusOr<std::vector<Answer>> nodes(xmlDoc* doc, const xmlNodeSet* set,
                                          const Question& question, std::size_t bytes_max) {
  std::vector<Answer> answers;
  std::size_t bytes = 0;
  const int count = set == nullptr ? 0 : set->nodeNr;
  for (int i = 0; i < count && answers.size() < question.limit; ++i) {
    std::string text;
    if (!node_text(doc, set->nodeTab[i], question, &text)) continue;
    bytes += text.size();
    if (bytes > bytes_max) return too_large(bytes_max);
    answers.emplace_back(std::move(text));
  }
  return answers;
}

}  // namespace

absl::StatusOr<std::vector<Answer>> Document::ask(const Question& question) const {
  // An empty page still has to tell a wrong expression from a right one.
  xmlDoc* doc = doc_.get();
  const Context context(xmlXPathNewContext(doc));
  if (context == nullptr) return absl::ResourceExhaustedError("xpath: no memory");
  const Complaints complaints(context.get());
  context->opLimit = steps_max(elements_);
  const Expression expression(xmlXPathCtxtCompile(context.get(), x(question.xpath)));
  if (expression == nullptr) {
    return absl::InvalidArgumentError(
        absl::StrCat("xpath: cannot read '", question.xpath, "': ", complaints.text()));
  }
  if (doc == nullptr) return std::vector<Answer>();
  const Object result(xmlXPathCompiledEval(expression.get(), context.get()));
  if (result == nullptr) {
    if (context->opCount >= context->opLimit) {
      return absl::OutOfRangeError(absl::StrCat("xpath: '", question.xpath, "' takes more than ",
                                                context->opLimit, " steps on this page of ",
                                                elements_, " elements"));
    }
    return absl::InvalidArgumentError(
        absl::StrCat("xpath: cannot evaluate '", question.xpath, "': ", complaints.text()));
  }
  switch (result->type) {
    case XPATH_NODESET:
      return nodes(doc, result->nodesetval, question, limits_.answer_bytes_max);
    case XPATH_BOOLEAN:
      return std::vector<Answer>{Answer(result->boolval != 0)};
    case XPATH_NUMBER:
      return std::vector<Answer>{Answer(result->floatval)};
    case XPATH_STRING:
      return std::vector<Answer>{Answer(std::string(reinterpret_cast<char*>(result->stringval)))};
    default:
      return absl::InvalidArgumentError(
          absl::StrCat("xpath: '", question.xpath, "' gives neither nodes nor a value"));
  }
}

}  // namespace fermata::html

// Transfer: one libcurl transfer under way, and its easy handle. It lives in the frame of the call
// that wants it: when that frame goes, by a result, an error, a deadline or a cancellation, the
// handle is removed at once and a connection in the middle of something is closed.
//
// What is transferred is the derived class's. Loop thread only.
#ifndef FERMATA_PLUGINS_CURL_TRANSFER_H_
#define FERMATA_PLUGINS_CURL_TRANSFER_H_

#include <curl/curl.h>

#include <array>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "plugins/curl/multi.h"
#include "services/async/async.h"

namespace fermata::curl {

struct FreeList {
  void operator()(curl_slist* list) const { curl_slist_free_all(list); }
};
using List = std::unique_ptr<curl_slist, FreeList>;

class Transfer {
 public:
  Transfer(const Transfer&) = delete;
  Transfer& operator=(const Transfer&) = delete;

  // Wakes, by done().wait(), when the transfer is over.
  Event& done() { return done_; }

 protected:
  // `multi` outlives it.
  explicit Transfer(Multi& multi) : multi_(multi), easy_(curl_easy_init()) {}
  virtual ~Transfer() { leave(); }
  // To be called by the derived destructor, before what libcurl's callbacks use is gone.
  void leave();

  // Called on the loop when the transfer is over, before the handle is removed.
  virtual void on_end() {}

  // What every transfer needs, after which the derived class says what it wants, and begins.
  absl::Status prepare();
  absl::Status begin();

  template <class V>
  void set(CURLoption option, V value) {
    curl_easy_setopt(easy_.get(), option, value);
  }
  // Adds a line to a list that one of the options takes, and that outlives the transfer.
  static absl::Status add_line(List& list, const std::string& line);

  CURL* easy() const { return easy_.get(); }
  CURLcode result() const { return result_; }
  // What went wrong in libcurl's words.
  const char* detail(CURLcode result) const;

 private:
  friend class Multi;
  struct FreeEasy {
    void operator()(CURL* easy) const { curl_easy_cleanup(easy); }
  };
  void finish(CURLcode result);  // called by the multi handle, on the loop

  Multi& multi_;
  std::array<char, CURL_ERROR_SIZE> error_{};
  std::unique_ptr<CURL, FreeEasy> easy_;  // goes before the text above, which it points to
  CURLcode result_ = CURLE_OK;
  bool added_ = false;
  Event done_;
};

// What a failure of libcurl's means for a job: kUnavailable for the network's and the server's
// faults, which another attempt may not meet.
absl::StatusCode code_of(CURLcode result);

}  // namespace fermata::curl

#endif  // FERMATA_PLUGINS_CURL_TRANSFER_H_

#include "services/async/net/sim_link.h"

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace fermata {

std::int64_t SimPipe::arrival_ns() noexcept {
  const SimFaults& faults = world_->faults;
  absl::Duration delay = world_->random.between(faults.min_delay, faults.max_delay);
  if (world_->random.chance(faults.stall)) delay += faults.stall_delay;
  Loop* loop = Loop::current_or_null();  // null: an end is closed after run()
  const std::int64_t arrives_ns = loop != nullptr ? loop->deadline_after(delay) : 0;
  // Nothing overtakes what was sent before.
  return chunks_.empty() ? arrives_ns : std::max(arrives_ns, chunks_.back().arrives_ns);
}

std::ptrdiff_t SimPipe::receive(std::span<char> into) noexcept {
  if (reset_) return -ECONNRESET;
  const std::int64_t now_ns = Loop::current().now_ns();
  std::size_t wanted = into.size();
  if (world_->random.chance(world_->faults.partial_read)) {
    wanted = 1 + world_->random.below(wanted);
  }
  std::size_t got = 0;
  while (got < wanted && !chunks_.empty() && chunks_.front().arrives_ns <= now_ns) {
    Chunk& first = chunks_.front();
    if (first.bytes.empty()) {
      if (got == 0) return -first.error;  // stays: every later read says the same
      break;
    }
    const std::size_t part = std::min(wanted - got, first.bytes.size() - offset_);
    std::memcpy(into.data() + got, first.bytes.data() + offset_, part);
    got += part;
    offset_ += part;
    if (offset_ == first.bytes.size()) {
      chunks_.pop_front();
      offset_ = 0;
    }
  }
  if (got == 0) return -EAGAIN;
  bytes_ -= got;
  fire(writer_);
  return static_cast<std::ptrdiff_t>(got);
}

std::ptrdiff_t SimPipe::send(std::string_view bytes) noexcept {
  if (reset_) return -ECONNRESET;
  if (reader_closed_ || finished_) return -EPIPE;
  const std::size_t capacity = world_->faults.buffer_bytes;
  if (bytes_ >= capacity) return -EAGAIN;
  std::size_t part = std::min(bytes.size(), capacity - bytes_);
  if (world_->random.chance(world_->faults.partial_write)) {
    part = 1 + world_->random.below(part);
  }
  chunks_.push_back(Chunk{arrival_ns(), std::string(bytes.substr(0, part))});
  bytes_ += part;
  if (reader_ != nullptr) watch_reader(reader_);
  return static_cast<std::ptrdiff_t>(part);
}

void SimPipe::finish(int error) noexcept {
  if (std::exchange(finished_, true)) return;
  chunks_.push_back(Chunk{arrival_ns(), std::string(), error});
  if (reader_ != nullptr) watch_reader(reader_);
}

void SimPipe::reset() noexcept {
  reset_ = true;
  chunks_.clear();
  bytes_ = offset_ = 0;
  fire(reader_);
  fire(writer_);
}

// The reader is called back when the first chunk has arrived; without one, when there is one.
void SimPipe::watch_reader(IoWatch* watch) noexcept {
  reader_ = watch;
  if (watch == nullptr) return disarm();
  if (chunks_.empty()) return;
  Loop::current().timers().arm(*this, chunks_.front().arrives_ns);
}

void SimPipe::arrival(Timer& timer) noexcept { fire(static_cast<SimPipe&>(timer).reader_); }

class SimTransport final : public Transport {
 public:
  SimTransport(std::shared_ptr<SimLink> link, std::size_t end, Address local, Address peer)
      : link_(std::move(link)), end_(end), local_(std::move(local)), peer_(std::move(peer)) {}
  ~SimTransport() override {
    incoming().close_reader();
    outgoing().finish(incoming().has_unread() ? ECONNRESET : 0);
  }

  std::ptrdiff_t try_recv(std::span<char> into) noexcept override {
    return incoming().receive(into);
  }
  std::ptrdiff_t try_send(std::string_view bytes) noexcept override {
    SimWorld& world = *link_->world_;
    if (world.random.chance(world.faults.reset)) {
      ++world.resets;
      for (SimPipe& pipe : link_->pipes_) pipe.reset();
    }
    return outgoing().send(bytes);
  }
  int shutdown_write() noexcept override {
    outgoing().finish(0);
    return 0;
  }
  const Address& peer() const noexcept override { return peer_; }
  Address local() const override { return local_; }

 private:
  SimPipe& outgoing() noexcept { return link_->pipes_[end_]; }
  SimPipe& incoming() noexcept { return link_->pipes_[1 - end_]; }
  int watch_ready(IoWatch& watch) noexcept override {
    set_watch(watch, &watch);
    return 0;
  }
  void unwatch_ready(IoWatch& watch) noexcept override { set_watch(watch, nullptr); }
  void set_watch(const IoWatch& watch, IoWatch* target) noexcept {
    if (watch.interest == IoWatch::Interest::kRead) {
      incoming().watch_reader(target);
    } else {
      outgoing().watch_writer(target);
    }
  }

  std::shared_ptr<SimLink> link_;
  std::size_t end_;
  Address local_;
  Address peer_;
};

std::pair<std::unique_ptr<Transport>, std::unique_ptr<Transport>> SimLink::make(
    std::shared_ptr<SimWorld> world, Address a, Address b) {
  auto link = std::make_shared<SimLink>(std::move(world));
  return {std::make_unique<SimTransport>(link, 0, a, b),
          std::make_unique<SimTransport>(link, 1, b, a)};
}

}  // namespace fermata

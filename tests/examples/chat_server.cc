#include "tests/examples/chat_server.h"

#include <algorithm>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "services/async/net/buffered_reader.h"

namespace fermata::examples {
namespace {

using Line = std::shared_ptr<const std::string>;  // one copy, however many get it

struct Member {
  explicit Member(std::size_t unsent) : outgoing(unsent) {}
  Queue<Line> outgoing;
  CancelScope connection;
};

class Room {
 public:
  // Nobody waits for anybody: who cannot keep up is put out, and the others never notice.
  void say(const Member& speaker, std::string text) {
    const Line line = std::make_shared<const std::string>(std::move(text));
    for (Member* member : members_) {
      if (member == &speaker) continue;
      if (!member->outgoing.put_nowait(Line(line)).ok()) {
        member->connection.cancel(CancelReason::kOverload);
      }
    }
  }

  // In the room for as long as this lives.
  class Seat {
   public:
    Seat(Room& room, Member& member) : room_(room), member_(&member) {
      room_.members_.push_back(member_);
    }
    Seat(const Seat&) = delete;
    ~Seat() { std::erase(room_.members_, member_); }

   private:
    Room& room_;
    Member* member_;
  };

 private:
  std::vector<Member*> members_;
};

struct Chat {
  explicit Chat(ChatLimits limits) : limits(limits), places(limits.clients) {}
  const ChatLimits limits;
  Semaphore places;
  std::map<std::string, Room> rooms;
};

Co<absl::Status> hear(BufferedReader& reader, const std::string& name, Room& room, Member& self) {
  for (;;) {
    absl::StatusOr<std::string> line = co_await reader.read_line();
    if (!line.ok()) {
      self.outgoing.shutdown();  // the other half sends what is left, and ends
      co_return line.status();
    }
    room.say(self, name + ": " + *line + "\n");
  }
}

Co<absl::Status> speak(Stream& stream, Member& self) {
  for (;;) {
    std::optional<Line> line = co_await self.outgoing.get();
    if (!line) co_return absl::OkStatus();
    co_await Try(stream.write(**line));
  }
}

Co<absl::Status> converse(BufferedReader& reader, Stream& stream, const std::string& name,
                          Room& room, Member& self) {
  const Room::Seat seat(room, self);
  co_return co_await gather(hear(reader, name, room, self), speak(stream, self));
}

Co<absl::Status> visit(Chat& chat, Stream& stream) {
  BufferedReader reader(stream, chat.limits.line);
  std::string greeting = co_await Try(timeout(chat.limits.greeting, reader.read_line()));
  const std::size_t space = greeting.find(' ');
  if (space == std::string::npos) {
    co_return co_await stream.write("expected: <name> <room>\n");
  }
  const std::string name = greeting.substr(0, space);
  Room& room = chat.rooms[greeting.substr(space + 1)];
  co_await Try(stream.write("welcome\n"));
  Member self(chat.limits.unsent);
  Outcome<void> outcome = co_await self.connection.run(converse(reader, stream, name, room, self));
  co_return outcome.status();
}

// How one client ends is no concern of the others, so nothing is reported to the group.
Co<void> client(Chat& chat, Stream stream, Semaphore::Permit place) {
  (void)co_await visit(chat, stream);
}

Co<absl::Status> accept_clients(TaskGroup& group, Listener& listener, Chat& chat) {
  for (;;) {
    Semaphore::Permit place = co_await chat.places.acquire();
    Stream stream = co_await Try(listener.accept());
    group.spawn_named("client", client, std::ref(chat), std::move(stream), std::move(place));
  }
}

}  // namespace

Co<absl::Status> serve_chat(Listener& listener, ChatLimits limits) {
  Chat chat(limits);
  co_return co_await with_group(accept_clients, listener, chat);
}

}  // namespace fermata::examples

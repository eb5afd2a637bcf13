#include <athena/base/buffer.h>

#include <algorithm>
#include <cstdlib>
#include <limits>

namespace athena {

void Buffer::make_room(std::size_t n) {
  const std::size_t used = size();
  // A length that went wrong, not a need: the sums below must not wrap around.
  if (n > std::numeric_limits<std::size_t>::max() / 2 - capacity_) std::abort();
  if (begin_ > 0 && capacity_ - used >= n && begin_ >= used) {  // compacting must not cost more than it frees
    std::memcpy(data_, data_ + begin_, used);
  } else {
    const std::size_t wanted = std::max({used + n, capacity_ * 2, std::size_t{256}});
    char* grown = static_cast<char*>(std::malloc(wanted));
    if (!grown) std::abort();
    if (used) std::memcpy(grown, data_ + begin_, used);
    std::free(data_);
    data_ = grown;
    capacity_ = wanted;
  }
  begin_ = 0;
  end_ = used;
}

}  // namespace athena

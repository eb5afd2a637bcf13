#pragma once

#include <cstddef>

namespace athena::http {

/// What an element of a Ring derives from: it can stand in one Ring at a time.
template <class T>
struct RingNode {
  RingNode* before = nullptr;
  RingNode* after = nullptr;
};

/// A list whose nodes are its elements, so that to enter and to leave it costs neither memory nor a search.
/// Elements are borrowed and take themselves out before they go.
template <class T>
class Ring {
 public:
  Ring() { head_.before = head_.after = &head_; }
  Ring(const Ring&) = delete;
  Ring& operator=(const Ring&) = delete;

  std::size_t size() const noexcept { return size_; }
  T* first() noexcept { return head_.after == &head_ ? nullptr : static_cast<T*>(head_.after); }
  T* next(T& element) noexcept {
    RingNode<T>* after = node(element).after;
    return after == &head_ ? nullptr : static_cast<T*>(after);
  }
  void push_back(T& element) noexcept {
    RingNode<T>& entering = node(element);
    entering.before = head_.before;
    entering.after = &head_;
    head_.before->after = &entering;
    head_.before = &entering;
    ++size_;
  }
  void remove(T& element) noexcept {
    RingNode<T>& leaving = node(element);
    leaving.before->after = leaving.after;
    leaving.after->before = leaving.before;
    leaving.before = leaving.after = nullptr;
    --size_;
  }

 private:
  static RingNode<T>& node(T& element) noexcept { return element; }

  RingNode<T> head_;
  std::size_t size_ = 0;
};

}  // namespace athena::http

// SPDX-License-Identifier: MIT
#pragma once

#include <charconv>
#include <cstddef>
#include <cstring>
#include <memory>
#include <string_view>

namespace sockflow::collector {

// One line under construction. A std::string checks its capacity at every append and clears what
// it grows by; a line here has some sixty appends, most of a few octets, so that this cost as much
// as the formatting itself. The memory is kept from line to line.
class LineBuffer {
 public:
  void Clear() { size_ = 0; }
  std::string_view view() const { return {memory_.get(), size_}; }
  size_t size() const { return size_; }

  // Room for `octets` more; then Advance to the end of what was written.
  char* Reserve(size_t octets) {
    if (capacity_ - size_ < octets) Grow(octets);
    return memory_.get() + size_;
  }
  void AdvanceTo(const char* end) { size_ = static_cast<size_t>(end - memory_.get()); }

  void Append(std::string_view text) {
    char* const at = Reserve(text.size());
    std::memcpy(at, text.data(), text.size());
    size_ += text.size();
  }
  void Append(char c) {
    *Reserve(1) = c;
    ++size_;
  }
  template <typename Integer>
  void AppendNumber(Integer value) {
    char* const at = Reserve(24);
    AdvanceTo(std::to_chars(at, at + 24, value).ptr);
  }
  void AppendSpaces(size_t count) {
    std::memset(Reserve(count), ' ', count);
    size_ += count;
  }

 private:
  void Grow(size_t octets) {
    size_t capacity = capacity_ == 0 ? 1024 : capacity_;
    while (capacity - size_ < octets) capacity *= 2;
    std::unique_ptr<char[]> memory(new char[capacity]);
    if (size_ > 0) std::memcpy(memory.get(), memory_.get(), size_);
    memory_ = std::move(memory);
    capacity_ = capacity;
  }

  std::unique_ptr<char[]> memory_;
  size_t size_ = 0;
  size_t capacity_ = 0;
};

}  // namespace sockflow::collector

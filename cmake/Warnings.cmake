add_compile_options(-Wall -Wextra -Wshadow -Wswitch-enum -Wnon-virtual-dtor -Woverloaded-virtual
  -Wimplicit-fallthrough -Wunused -Werror)
# Bounds checks of the standard library stay on in every build: what parses foreign bytes must fail loudly, not quietly.
add_compile_definitions(_GLIBCXX_ASSERTIONS)

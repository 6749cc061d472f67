# holdfast_options: what every target of ours compiles with. Warnings are errors.
add_library(holdfast_options INTERFACE)
target_include_directories(holdfast_options INTERFACE ${PROJECT_SOURCE_DIR})
target_compile_options(holdfast_options INTERFACE
  -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wsign-conversion -Wnon-virtual-dtor -Wold-style-cast
  -Wcast-qual -Woverloaded-virtual -Wnull-dereference -Werror -ffunction-sections -fdata-sections)
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  target_compile_options(holdfast_options INTERFACE -Wuseless-cast -Wduplicated-cond -Wlogical-op
    # False positives of g++ 12 when it optimises: `"x" + std::string(...)` (GCC bug 105651), and a vector's insert.
    -Wno-restrict $<$<CONFIG:Release>:-Wno-null-dereference>)
endif()
if(HOLDFAST_SANITIZE)
  target_compile_options(holdfast_options INTERFACE
    -fsanitize=${HOLDFAST_SANITIZE} -fno-sanitize-recover=all -fno-omit-frame-pointer)
  target_link_options(holdfast_options INTERFACE -fsanitize=${HOLDFAST_SANITIZE})
  if(NOT HOLDFAST_FUZZ)
    # What is tested is checked for undefined behaviour; the tests' own tables of values are not: a third of the time of a
    # clean build went there.
    target_compile_options(holdfast_options INTERFACE
      $<$<PATH:IS_PREFIX,${PROJECT_SOURCE_DIR}/test,$<TARGET_PROPERTY:SOURCE_DIR>>:-fno-sanitize=undefined>)
  endif()
  if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
    # g++ 12 reports false positives of these two in instrumented standard-library code.
    target_compile_options(holdfast_options INTERFACE -Wno-maybe-uninitialized -Wno-null-dereference)
  endif()
endif()
# Instrumented programs are large, and the default linker takes several times as long for each as this one.
find_program(HOLDFAST_LLD ld.lld)
if(HOLDFAST_SANITIZE AND HOLDFAST_LLD)
  target_link_options(holdfast_options INTERFACE -fuse-ld=lld)
endif()
if(HOLDFAST_FUZZ)
  # Coverage feedback for libFuzzer in all that is linked; the driver itself comes with the programs' link options.
  target_compile_options(holdfast_options INTERFACE -fsanitize=fuzzer-no-link)
endif()

# gRPC without TLS, and code made of .proto files.
pkg_check_modules(GRPC REQUIRED grpc++_unsecure protobuf)
find_program(PROTOC protoc REQUIRED)
find_program(GRPC_CPP_PLUGIN grpc_cpp_plugin REQUIRED)

# What is shipped has the archives inside: half the memory of the shared objects, and no library that a node's image must
# have. Elsewhere the shared objects, which link faster.
add_library(holdfast_grpc INTERFACE)
if(CMAKE_BUILD_TYPE STREQUAL "Release")
  list(REMOVE_ITEM GRPC_STATIC_LIBRARIES rt atomic)
  # Debian's .pc leaves the last five out of the static list.
  target_link_libraries(holdfast_grpc INTERFACE -Wl,-Bstatic -Wl,--start-group
    ${GRPC_STATIC_LIBRARIES} address_sorting upb cares z re2 -Wl,--end-group -Wl,-Bdynamic Threads::Threads)
else()
  target_link_libraries(holdfast_grpc INTERFACE ${GRPC_LIBRARIES} Threads::Threads)
endif()

# holdfast_proto(NAME file.proto...): one library of what protoc makes of messages and services, paths from the root of the
# tree: "common/csi/proto/csi.pb.h". Made when the tree is configured, so that clang-tidy can read the headers with
# nothing built; a file that stays the same is not touched.
function(holdfast_proto name)
  set(made ${PROJECT_BINARY_DIR}/proto)
  set(fresh ${PROJECT_BINARY_DIR}/proto-fresh)
  set(sources)
  foreach(file ${ARGN})
    cmake_path(ABSOLUTE_PATH file OUTPUT_VARIABLE proto)
    cmake_path(RELATIVE_PATH proto BASE_DIRECTORY ${PROJECT_SOURCE_DIR} OUTPUT_VARIABLE stem)
    cmake_path(REMOVE_EXTENSION stem)
    cmake_path(GET stem PARENT_PATH folder)
    set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${proto})
    file(MAKE_DIRECTORY ${fresh} ${made}/${folder})
    execute_process(COMMAND_ERROR_IS_FATAL ANY
      COMMAND ${PROTOC} --proto_path=${PROJECT_SOURCE_DIR} --cpp_out=${fresh} --grpc_out=${fresh}
        --plugin=protoc-gen-grpc=${GRPC_CPP_PLUGIN} ${proto})
    foreach(kind pb.h pb.cc grpc.pb.h grpc.pb.cc)
      file(COPY_FILE ${fresh}/${stem}.${kind} ${made}/${stem}.${kind} ONLY_IF_DIFFERENT)
    endforeach()
    list(APPEND sources ${made}/${stem}.pb.cc ${made}/${stem}.grpc.pb.cc)
  endforeach()
  add_library(${name} STATIC EXCLUDE_FROM_ALL ${sources})
  target_include_directories(${name} SYSTEM PUBLIC ${made})
  target_link_libraries(${name} PUBLIC holdfast_grpc)
  # Not ours to warn of, to step through or to sanitize. Optimising it doubles the time that it takes to build.
  target_compile_options(${name} PRIVATE -w -ffunction-sections -fdata-sections $<$<NOT:$<CONFIG:Release>>:-O0 -g0>)
  set_target_properties(${name} PROPERTIES DISABLE_PRECOMPILE_HEADERS ON)
endfunction()

#pragma once

// The test framework, included from here only, so that a move to another version is one line.
#include <catch2/catch.hpp>

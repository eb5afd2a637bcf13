#pragma once

#include <athena/driver/retry.h>

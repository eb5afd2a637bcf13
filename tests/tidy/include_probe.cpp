#include <athena/base/result.h>
#include <athena/query/statement.h>
#ifdef ATHENA_FORBIDDEN_INCLUDE
#include <athena/driver/backend.h>
#endif

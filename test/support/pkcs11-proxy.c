/* A PKCS#11 module that passes calls on to REAL, logs those of interest to LOG, and does to a call what the file RULE.<call> says: once, once in each
   process, or always; after so many milliseconds: "code 48 once 0", "code 179 each 500", "pass 0 always 30000", "crash 0 once 0". "done 0 always 900" makes
   the call first and then waits. */
#include <dlfcn.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "pkcs11.h"

static CK_FUNCTION_LIST list;
static CK_FUNCTION_LIST_PTR real;

static void note(const char *name) {
  char line[64];
  int length = snprintf(line, sizeof line, "%s %d\n", name, (int)getpid());
  int fd = open(LOG, O_WRONLY | O_CREAT | O_APPEND, 0600);
  if (fd >= 0) {
    if (write(fd, line, length) < 0) _exit(3);
    close(fd);
  }
}

static CK_RV ruled(const char *name, int *followed, unsigned long *later) {
  char path[4096], action[16], times[16];
  unsigned long value, delay;
  note(name);
  snprintf(path, sizeof path, "%s.%s", RULE, name);
  FILE *rule = fopen(path, "r");
  if (!rule) return CKR_OK;
  int fields = fscanf(rule, "%15s %lu %15s %lu", action, &value, times, &delay);
  fclose(rule);
  if (fields != 4) return CKR_OK;
  /* Of several processes one may remove the file. */
  if (!strcmp(times, "once") && unlink(path)) return CKR_OK;
  if (!strcmp(times, "each") && (*followed)++) return CKR_OK;
  if (!strcmp(action, "done")) {
    *later = delay;
    return CKR_OK;
  }
  usleep(delay * 1000);
  if (!strcmp(action, "code")) return value;
  if (!strcmp(action, "crash")) raise(SIGSEGV);
  return CKR_OK;
}

#define PROXY(name, parameters, arguments) \
  static CK_RV proxy_##name parameters { \
    static int followed; \
    unsigned long later = 0; \
    CK_RV rv = ruled(#name, &followed, &later); \
    if (rv == CKR_OK) rv = real->name arguments; \
    usleep(later * 1000); \
    return rv; \
  }

PROXY(C_GetSlotList, (CK_BBOOL a, CK_SLOT_ID_PTR b, CK_ULONG_PTR c), (a, b, c))
PROXY(C_OpenSession, (CK_SLOT_ID a, CK_FLAGS b, CK_VOID_PTR c, CK_NOTIFY d, CK_SESSION_HANDLE_PTR e), (a, b, c, d, e))
PROXY(C_Login, (CK_SESSION_HANDLE a, CK_USER_TYPE b, CK_UTF8CHAR_PTR c, CK_ULONG d), (a, b, c, d))
PROXY(C_FindObjectsInit, (CK_SESSION_HANDLE a, CK_ATTRIBUTE_PTR b, CK_ULONG c), (a, b, c))
PROXY(C_WrapKey, (CK_SESSION_HANDLE a, CK_MECHANISM_PTR b, CK_OBJECT_HANDLE c, CK_OBJECT_HANDLE d, CK_BYTE_PTR e, CK_ULONG_PTR f), (a, b, c, d, e, f))
PROXY(C_UnwrapKey, (CK_SESSION_HANDLE a, CK_MECHANISM_PTR b, CK_OBJECT_HANDLE c, CK_BYTE_PTR d, CK_ULONG e, CK_ATTRIBUTE_PTR f, CK_ULONG g, CK_OBJECT_HANDLE_PTR h), (a, b, c, d, e, f, g, h))

CK_RV C_GetFunctionList(CK_FUNCTION_LIST_PTR_PTR out) {
  if (!real) {
    void *library = dlopen(REAL, RTLD_NOW | RTLD_LOCAL);
    CK_C_GetFunctionList get = library ? (CK_C_GetFunctionList)dlsym(library, "C_GetFunctionList") : 0;
    if (!get || get(&real) != CKR_OK) return CKR_GENERAL_ERROR;
    list = *real;
    list.C_GetFunctionList = C_GetFunctionList;
    list.C_GetSlotList = proxy_C_GetSlotList;
    list.C_OpenSession = proxy_C_OpenSession;
    list.C_Login = proxy_C_Login;
    list.C_FindObjectsInit = proxy_C_FindObjectsInit;
    list.C_WrapKey = proxy_C_WrapKey;
    list.C_UnwrapKey = proxy_C_UnwrapKey;
  }
  *out = &list;
  return CKR_OK;
}

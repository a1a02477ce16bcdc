/* A PKCS#11 module that passes calls on to REAL, logs those of interest to LOG, and does once or always what RULE says of one of them:
   "C_WrapKey code 48 once", "C_WrapKey sleep 30000 always", "C_WrapKey crash 0 once". */
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

static CK_RV ruled(const char *name) {
  char call[64], action[16], times[16];
  unsigned long value;
  note(name);
  FILE *rule = fopen(RULE, "r");
  if (!rule) return CKR_OK;
  int fields = fscanf(rule, "%63s %15s %lu %15s", call, action, &value, times);
  fclose(rule);
  if (fields != 4 || strcmp(call, name)) return CKR_OK;
  /* Of several processes one may remove the file. */
  if (!strcmp(times, "once") && unlink(RULE)) return CKR_OK;
  if (!strcmp(action, "code")) return value;
  if (!strcmp(action, "sleep")) usleep(value * 1000);
  if (!strcmp(action, "crash")) raise(SIGSEGV);
  return CKR_OK;
}

#define PROXY(name, parameters, arguments) \
  static CK_RV proxy_##name parameters { \
    CK_RV rv = ruled(#name); \
    return rv == CKR_OK ? real->name arguments : rv; \
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

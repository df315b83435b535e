// A stand-in for libnvrtc.so: "compiles" CUDA source to PTX that fake-libcuda.c takes, with an entry for every __global__ function; source that has
// `syntax error` in it does not compile. It notes its options in the program, so that tests see them.

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct program { char *source, *log, *ptx; };

int nvrtcVersion(int *major, int *minor) { *major = 12; *minor = 4; return 0; }
const char *nvrtcGetErrorString(int error) { return error == 6 ? "NVRTC_ERROR_COMPILATION" : "NVRTC_ERROR_INVALID_INPUT"; }
int nvrtcGetNumSupportedArchs(int *count) { *count = 3; return 0; }
int nvrtcGetSupportedArchs(int *archs) { archs[0] = 75; archs[1] = 80; archs[2] = 90; return 0; }
int nvrtcCreateProgram(struct program **program, const char *source, const char *name, int headers, const char **contents, const char **names) {
  if (headers || contents || names || !name) return 3;
  *program = calloc(1, sizeof **program);
  (*program)->source = strdup(source);
  return 0;
}
int nvrtcCompileProgram(struct program *program, int count, const char **options) {
  program->log = calloc(1, 65536);
  program->ptx = calloc(1, 65536);
  if (strstr(program->source, "syntax error")) {
    for (int i = 0; i < 30; i++) sprintf(program->log + strlen(program->log), "kernel.cu(%d): error: expected a \x1b[31m;\n", i + 1);
    return 6;
  }
  if (strstr(program->source, "show options")) {
    for (int i = 0; i < count; i++) sprintf(program->log + strlen(program->log), "%s\n", options[i]);
    return 6;
  }
  strcpy(program->ptx, ".version 8.0\n.target sm_75\n");
  for (const char *at = program->source; (at = strstr(at, "__global__ void ")) != NULL;) {
    at += strlen("__global__ void ");
    sprintf(program->ptx + strlen(program->ptx), ".visible .entry %.*s(\n", (int)strcspn(at, "("), at);
  }
  return 0;
}
int nvrtcGetProgramLogSize(struct program *program, size_t *bytes) { *bytes = strlen(program->log) + 1; return 0; }
int nvrtcGetProgramLog(struct program *program, char *log) { strcpy(log, program->log); return 0; }
int nvrtcGetPTXSize(struct program *program, size_t *bytes) { *bytes = strlen(program->ptx) + 1; return 0; }
int nvrtcGetPTX(struct program *program, char *ptx) { strcpy(ptx, program->ptx); return 0; }
int nvrtcGetCUBINSize(struct program *program, size_t *bytes) { return nvrtcGetPTXSize(program, bytes); }
int nvrtcGetCUBIN(struct program *program, char *cubin) { return nvrtcGetPTX(program, cubin); }
int nvrtcDestroyProgram(struct program **program) {
  free((*program)->source);
  free((*program)->log);
  free((*program)->ptx);
  free(*program);
  *program = NULL;
  return 0;
}

// A worker in C, for the compiler of Zig and the bindings of wit-bindgen.
//
//   final-newline   ends the last line of C and text files in the task's scope with a line feed
//
// Of the C library it uses what computes. What opens, prints or tells the time would import WASI, and is refused when the component is made.
// Nothing is given back while it works: every task gets a fresh instance, which is thrown away as a whole.

#include <stdlib.h>
#include <string.h>

#include "codegen.h"

#define PAGE 1000
#define CHUNK (1 << 20)

typedef codegen_string_t text;

static const char *const ENDINGS[] = {".c", ".h", ".md", ".txt"};

static text dup(const char *from) {
    text to;
    codegen_string_dup(&to, from);
    return to;
}

static void *more(void *old, size_t bytes) {
    void *grown = realloc(old, bytes);
    // Out of memory: the host stops the instance and says so.
    if (!grown) __builtin_trap();
    return grown;
}

static void append(text *to, const void *bytes, size_t count) {
    to->ptr = more(to->ptr, to->len + count + 1);
    memcpy(to->ptr + to->len, bytes, count);
    to->len += count;
}

static void append_text(text *to, const char *from) { append(to, from, strlen(from)); }

static void append_number(text *to, size_t number) {
    char digits[24];
    size_t at = sizeof digits;
    do digits[--at] = (char)('0' + number % 10);
    while (number /= 10);
    append(to, digits + at, sizeof digits - at);
}

static bool has_ending(const text *path) {
    for (size_t i = 0; i < sizeof ENDINGS / sizeof *ENDINGS; i++) {
        size_t len = strlen(ENDINGS[i]);
        if (path->len > len && memcmp(path->ptr + path->len - len, ENDINGS[i], len) == 0) return true;
    }
    return false;
}

// The whole file; false if the workspace refuses.
static bool content(text *path, text *out) {
    *out = (text){0};
    for (;;) {
        codegen_list_u8_t chunk;
        abide_worker_workspace_workspace_error_t error;
        if (!abide_worker_workspace_read(path, out->len, CHUNK, &chunk, &error)) return false;
        append(out, chunk.ptr, chunk.len);
        if (chunk.len < CHUNK) return true;
    }
}

// The hunk that ends the last line.
static text hunk(const text *file) {
    size_t lines = 1, last = 0;
    for (size_t i = 0; i < file->len; i++) {
        if (file->ptr[i] == '\n') {
            lines += 1;
            last = i + 1;
        }
    }
    text out = {0};
    append_text(&out, "@@ -");
    append_number(&out, lines);
    append_text(&out, ",1 +");
    append_number(&out, lines);
    append_text(&out, ",1 @@\n-");
    append(&out, file->ptr + last, file->len - last);
    append_text(&out, "\n\\ No newline at end of file\n+");
    append(&out, file->ptr + last, file->len - last);
    append_text(&out, "\n");
    return out;
}

static void look_at(text *path, abide_worker_types_list_file_patch_t *found) {
    text file;
    if (!has_ending(path) || !content(path, &file)) return;
    bool is_binary = file.len > 0 && memchr(file.ptr, 0, file.len) != NULL;
    if (file.len == 0 || is_binary || file.ptr[file.len - 1] == '\n') return;
    abide_worker_types_file_patch_t change = {.path = *path, .status = ABIDE_WORKER_TYPES_FILE_STATUS_MODIFY};
    change.hunks.ptr = more(NULL, sizeof(text));
    change.hunks.ptr[0] = hunk(&file);
    change.hunks.len = 1;
    found->ptr = more(found->ptr, (found->len + 1) * sizeof change);
    found->ptr[found->len++] = change;
}

static bool look_below(text *prefix, abide_worker_types_list_file_patch_t *found) {
    text *after = NULL;
    for (;;) {
        abide_worker_workspace_listing_t page;
        abide_worker_workspace_workspace_error_t error;
        if (!abide_worker_workspace_list(prefix, after, PAGE, &page, &error)) return false;
        for (size_t i = 0; i < page.entries.len; i++) {
            if (page.entries.ptr[i].kind != ABIDE_WORKER_WORKSPACE_ENTRY_KIND_SYMLINK)
                look_at(&page.entries.ptr[i].path, found);
        }
        if (!page.truncated || page.entries.len == 0) return true;
        after = &page.entries.ptr[page.entries.len - 1].path;
    }
}

static bool fail(codegen_failure_t *failure, abide_worker_types_failure_kind_t kind, const char *message) {
    failure->kind = kind;
    failure->message = dup(message);
    return false;
}

bool exports_codegen_propose(codegen_task_t *task, codegen_proposal_t *proposal, codegen_failure_t *failure) {
    static const char RECIPE[] = "final-newline";
    if (task->recipe.len != sizeof RECIPE - 1 || memcmp(task->recipe.ptr, RECIPE, sizeof RECIPE - 1) != 0)
        return fail(failure, ABIDE_WORKER_TYPES_FAILURE_KIND_UNKNOWN_RECIPE, "the only recipe is `final-newline`");
    abide_worker_types_list_file_patch_t found = {0};
    text everywhere = {0};
    bool is_whole = task->scope.len == 0;
    for (size_t i = 0; i < (is_whole ? 1 : task->scope.len); i++) {
        if (!look_below(is_whole ? &everywhere : &task->scope.ptr[i], &found))
            return fail(failure, ABIDE_WORKER_TYPES_FAILURE_KIND_WORKSPACE, "the files could not be listed");
    }
    if (found.len == 0)
        return fail(failure, ABIDE_WORKER_TYPES_FAILURE_KIND_NOTHING_TO_DO, "every last line ends with a line feed");
    memset(proposal, 0, sizeof *proposal);
    proposal->patch.patch_format = ABIDE_WORKER_TYPES_PATCH_FORMAT_UNIFIED;
    proposal->patch.files = found;
    proposal->rationale = dup("A last line without a line feed shows up in every later change of the file.");
    proposal->rollback.tag = ABIDE_WORKER_TYPES_ROLLBACK_RECIPE_REVERT_COMMIT;
    proposal->expected.summary = dup("Each of these files ends with a line feed.");
    proposal->expected.files = (uint32_t)found.len;
    proposal->expected.lines_added = (uint32_t)found.len;
    proposal->expected.lines_removed = (uint32_t)found.len;
    return true;
}

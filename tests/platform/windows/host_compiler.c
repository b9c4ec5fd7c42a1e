/*
 * gcc.exe and g++.exe for programs under Wine: run the host's cross compiler, HOST_COMPILER, on the same files.
 *
 * No compiler from the registries runs under Wine 8 itself. Wine can start a program of the host, but can neither wait
 * for it, nor get its exit code, nor give it a pipe of Windows' as its output: two files make up for that.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <windows.h>

/* Append an argument, in quotes for a shell; Z:\a\b becomes /a/b, and C: is where the host has it. */
static void append(char *line, size_t size, const char *text, const char *drive_c) {
    size_t at = strlen(line);
    if (at + 4 * strlen(text) + strlen(drive_c) + 8 > size)
        exit(127);
    line[at++] = ' ';
    line[at++] = '\'';
    for (; *text; text++) {
        if ((text[0] == 'Z' || text[0] == 'z') && text[1] == ':') {
            text++;
        } else if ((text[0] == 'C' || text[0] == 'c') && text[1] == ':') {
            memcpy(line + at, drive_c, strlen(drive_c));
            at += strlen(drive_c);
            text++;
        } else if (*text == '\'') {
            memcpy(line + at, "'\\''", 4);
            at += 4;
        } else {
            line[at++] = *text == '\\' ? '/' : *text;
        }
    }
    line[at++] = '\'';
    line[at] = 0;
}

int main(int count, char **arguments) {
    static char line[32768];
    char note[MAX_PATH], words[MAX_PATH], prefix[MAX_PATH], script[sizeof line + 4 * MAX_PATH];
    if (!GetEnvironmentVariableA("WINEPREFIX", prefix, sizeof prefix - 8))
        return 127;
    strcat(prefix, "/drive_c");
    for (int i = 1; i < count; i++)
        append(line, sizeof line, arguments[i], prefix);
    snprintf(note, sizeof note, "%s/status-%lu", prefix, GetCurrentProcessId());
    snprintf(script, sizeof script,
             "Z:\\bin\\sh -c \"" HOST_COMPILER "%s </dev/null >'%s.txt' 2>&1; echo $? >'%s.new'; mv '%s.new' '%s'\"", line,
             note, note, note, note);
    STARTUPINFOA start = {.cb = sizeof start};
    PROCESS_INFORMATION process;
    if (!CreateProcessA("Z:\\bin\\sh", script, NULL, NULL, TRUE, 0, NULL, NULL, &start, &process))
        return 127;
    snprintf(note, sizeof note, "C:\\status-%lu", GetCurrentProcessId());
    snprintf(words, sizeof words, "%s.txt", note);
    int status = 127;
    for (FILE *file;; Sleep(5)) {
        if ((file = fopen(note, "r"))) {
            if (fscanf(file, "%d", &status) != 1)
                status = 127;
            fclose(file);
            break;
        }
    }
    FILE *said = fopen(words, "r");
    for (int letter; said && (letter = fgetc(said)) != EOF;)
        fputc(letter, stderr);
    if (said)
        fclose(said);
    remove(words);
    remove(note);
    return status;
}

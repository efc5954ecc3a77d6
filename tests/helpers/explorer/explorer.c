/*
 * The program that the stages run inside the container, in place of the challenge's own: it shows what a process sees there.
 * It is linked statically and needs neither /dev, /proc nor an environment. What it prints and how it exits is the table
 * in tests/stages/explorer.test.ts.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char help[] =
    "\n"
    "Usage: explorer COMMAND [ARGS]\n"
    "\n"
    "  echo WORD...         prints the words to stdout\n"
    "  echo_stderr WORD...  prints the words to stderr\n"
    "  mypid                prints the number of this process\n"
    "  ls DIRECTORY         prints the names in a directory\n"
    "  touch FILE           makes or empties a file\n"
    "  exit CODE            exits with the code\n";

static int need(int argc, int count)
{
    if (argc > count)
        return 1;
    printf("Expected at least %d argument(s).\n%s", count, help);
    return 0;
}

static int echo(FILE *out, int argc, char **argv)
{
    for (int i = 2; i < argc; i++)
        fprintf(out, "%s%s", i > 2 ? " " : "", argv[i]);
    fputc('\n', out);
    return 0;
}

static int fail(const char *call, const char *path)
{
    printf("Error: %s %s: %s", call, path, strerror(errno));
    return 1;
}

static int wanted(const struct dirent *entry)
{
    return strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0;
}

static int by_bytes(const struct dirent **a, const struct dirent **b)
{
    return strcmp((*a)->d_name, (*b)->d_name);
}

static int ls(const char *path)
{
    struct dirent **entries;
    int count = scandir(path, &entries, wanted, by_bytes);

    if (count < 0 && errno == ENOENT) {
        puts("No such file or directory");
        return 2;
    }
    if (count < 0)
        return fail("open", path);
    for (int i = 0; i < count; i++)
        puts(entries[i]->d_name);
    return 0;
}

static int touch(const char *path)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0666);

    if (fd < 0)
        return fail("open", path);
    close(fd);
    printf("Touched file %s\n", path);
    return 0;
}

static int leave(const char *text)
{
    char *end;
    long code = strtol(text, &end, 10);

    if (*text == '\0' || *end != '\0') {
        printf("Unable to parse exit code %ld\n", 0L);
        return 1;
    }
    return (int)(code & 0xff);
}

int main(int argc, char **argv)
{
    if (!need(argc, 1))
        return 1;
    const char *command = argv[1];

    if (strcmp(command, "mypid") == 0) {
        printf("%d\n", (int)getpid());
        return 0;
    }
    if (strcmp(command, "echo") == 0 || strcmp(command, "echo_stderr") == 0)
        return need(argc, 2) ? echo(command[4] == '\0' ? stdout : stderr, argc, argv) : 1;
    if (strcmp(command, "ls") == 0)
        return need(argc, 2) ? ls(argv[2]) : 1;
    if (strcmp(command, "touch") == 0)
        return need(argc, 2) ? touch(argv[2]) : 1;
    if (strcmp(command, "exit") == 0)
        return need(argc, 2) ? leave(argv[2]) : 1;
    fputs(help, stdout);
    return 1;
}

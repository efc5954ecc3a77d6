/** Which image of which archive: names of `docker save`'s form and of OCI layouts in a tar file. */

/** Forms of an archive. */
export type ArchiveForm = "docker-archive" | "oci-archive";

/** A name as the command line has it: `oci-archive:FILE[:TAG]`, `docker-archive:FILE[:NAME]`. */
export interface ArchiveName {
  readonly form: ArchiveForm;
  /** Absolute. */
  readonly file: string;
  /** A tag in the form `oci-archive`; the complete name of an image in the other. */
  readonly tag?: string | undefined;
}

/** As it is written on the command line. */
export function formatArchive({ form, file, tag }: ArchiveName): string {
  return `${form}:${file}${tag === undefined ? "" : `:${tag}`}`;
}

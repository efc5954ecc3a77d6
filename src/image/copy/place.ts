/** Where images can be copied from and to, however they are kept there: what registries, layouts and archives have in common. */
import type { Descriptor } from "../../oci/descriptor.ts";
import type { Digest } from "../../oci/digest.ts";
import type { Platform } from "../../oci/platform.ts";
import type { Reference } from "../../oci/reference.ts";
import type { Referrer } from "../../oci/referrer.ts";
import type { Target } from "../../registry/client.ts";
import type { Document } from "../../registry/find_manifest.ts";
import type { BlobOutcome } from "../../registry/writer.ts";
import type { BlobFeed } from "./blob_feed.ts";

/** A repository of a registry. */
export type Repository = Pick<Reference, "registry" | "repository">;

/** An image to be copied. Every document that it returns has the digest that was asked for. */
export interface CopySource extends AsyncDisposable {
  /** For messages: as a person writes it. */
  readonly name: string;
  /** Where a registry may have a blob too: it can be mounted from there. */
  repositoryOf(digest: Digest): Repository | undefined;
  /** What the name means, if that can be known without reading it. */
  findTop(): Promise<Target | undefined>;
  readTop(): Promise<Document>;
  /** Undefined when it is not there. */
  readDocument(descriptor: Descriptor): Promise<Document | undefined>;
  /** The bytes of a blob from `start` on. */
  open(descriptor: Descriptor, start: number, signal: AbortSignal): Promise<ReadableStream<Uint8Array>>;
  /** The document under another tag beside the image. */
  findTag(tag: string): Promise<Document | undefined>;
  /** What refers to a manifest; of one type only where that is given. */
  listReferrers(subject: Digest, artifactType: string | undefined): Promise<readonly Referrer[]>;
}

/** What a document is to the copy. */
export type Role =
  /** It gets the name. */
  | { readonly kind: "top"; readonly platform?: Platform | undefined }
  /** Something else refers to it. */
  | { readonly kind: "part" }
  /** It refers to something else. */
  | { readonly kind: "referrer" }
  /** It stands under a tag of its own. */
  | { readonly kind: "tagged"; readonly tag: string };

/** How a blob is brought. */
export interface BlobDelivery {
  /** Another repository of the same registry that has it. */
  readonly mountFrom: string | undefined;
  readonly signal: AbortSignal;
  readonly onBytes: (done: number) => void;
}

/** A place for an image. Blobs come before the documents that name them. */
export interface CopyTarget extends AsyncDisposable {
  /** For messages: as a person writes it. */
  readonly name: string;
  /** Undefined for what is no registry. */
  readonly repository: Repository | undefined;
  /** What the name means there at present. */
  findTop(): Promise<Digest | undefined>;
  /** What another tag means there. */
  findTag(tag: string): Promise<Digest | undefined>;
  /** Whether a document is there, and so all that it names. */
  hasDocument(digest: Digest): Promise<boolean>;
  putBlob(feed: BlobFeed, delivery: BlobDelivery): Promise<BlobOutcome>;
  /** What is listed there as referring to a manifest. */
  findReferrers(subject: Digest): Promise<ReadonlySet<Digest>>;
  putDocument(document: Document, role: Role): Promise<void>;
  /** Makes what was put count, where it does not yet. */
  finish(): Promise<void>;
}

import { type BuiltImage, type ImageConfigSpec, type LayerSpec } from './image-builder.ts'
/** The static busybox of the distribution (Debian: busybox-static). */
export declare const busyboxPath = '/bin/busybox'
export declare const webPage =
  '<!doctype html>\n<title>lighter</title>\n<h1>Hello from a pod that lighter runs</h1>\n'
/** busybox with all its applets as hard links, users, /tmp and a web page in /www; runs a shell. */
export declare function busyboxImage(config?: ImageConfigSpec): Promise<BuiltImage>
/** A web server for /www on port 80, or on the port in the environment variable PORT. */
export declare function webServerImage(config?: ImageConfigSpec): Promise<BuiltImage>
/** The one layer of both images, to build others on. */
export declare function busyboxLayer(): Promise<LayerSpec>

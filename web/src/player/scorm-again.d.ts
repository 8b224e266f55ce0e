/** What the player uses of scorm-again; its own types name a default export that its modules do not have. */
declare module "scorm-again/scorm12/min" {
  export class Scorm12API {
    constructor(settings: { autocommit: boolean; logLevel: number });
    loadFromFlattenedJSON(values: Record<string, string>, prefix: string): void;
    LMSInitialize(argument: string): string;
    LMSFinish(argument: string): string;
    LMSGetValue(element: string): string;
    LMSSetValue(element: string, value: string): string;
    LMSCommit(argument: string): string;
    LMSGetLastError(): string;
    LMSGetErrorString(code: string): string;
    LMSGetDiagnostic(code: string): string;
  }
}

declare module "scorm-again/scorm2004/min" {
  export class Scorm2004API {
    constructor(settings: { autocommit: boolean; logLevel: number });
    loadFromFlattenedJSON(values: Record<string, string>, prefix: string): void;
    Initialize(argument: string): string;
    Terminate(argument: string): string;
    GetValue(element: string): string;
    SetValue(element: string, value: string): string;
    Commit(argument: string): string;
    GetLastError(): string;
    GetErrorString(code: string): string;
    GetDiagnostic(code: string): string;
  }
}

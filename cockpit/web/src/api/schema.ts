// Generated from docs/openapi.json by tools/api.mjs (npm run api): the interface of the brain in types. Not to be edited.
export interface paths {
    "/hub/v1/query": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** A SELECT over resources, each under its contract */
        post: {
            parameters: {
                query?: never;
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody: {
                content: {
                    "application/json": components["schemas"]["Query"];
                };
            };
            responses: {
                /** @description OK */
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["Queried"];
                    };
                };
                /** @description A problem (RFC 9457) */
                default: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
            };
        };
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/hub/v1/call/{area}/{party}/{name}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Rows of a table by key, under a contract, with a receipt */
        post: {
            parameters: {
                query?: never;
                header?: never;
                path: {
                    area: string;
                    party: string;
                    name: string;
                };
                cookie?: never;
            };
            requestBody: {
                content: {
                    "application/json": components["schemas"]["Call"];
                };
            };
            responses: {
                /** @description OK */
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["Called"];
                    };
                };
                /** @description A problem (RFC 9457) */
                default: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
            };
        };
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/hub/v1/subscribe/{area}/{party}/{name}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** A stream's rows as server-sent events, under a contract, in windows with a receipt each */
        get: {
            parameters: {
                query: {
                    purpose: string;
                    fields: string;
                };
                header?: never;
                path: {
                    area: string;
                    party: string;
                    name: string;
                };
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                /** @description OK */
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "text/event-stream": unknown;
                    };
                };
                /** @description A problem (RFC 9457) */
                default: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
            };
        };
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/hub/v1/resources": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** The resources that the asker offers or has a contract for */
        get: {
            parameters: {
                query?: never;
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                /** @description OK */
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["Resources"];
                    };
                };
                /** @description A problem (RFC 9457) */
                default: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
            };
        };
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/hub/v1/opening/{index}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** The salt of a leaf, for the parties of its use */
        get: {
            parameters: {
                query?: never;
                header?: never;
                path: {
                    index: string;
                };
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                /** @description OK */
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["Opening"];
                    };
                };
                /** @description A problem (RFC 9457) */
                default: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
            };
        };
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/hub/v1/outcome/{index}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** The outcome of an object's use by its intent's number, with its salt, for the parties of the use */
        get: {
            parameters: {
                query?: never;
                header?: never;
                path: {
                    index: string;
                };
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                /** @description OK */
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["Opening"];
                    };
                };
                /** @description A problem (RFC 9457) */
                default: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
            };
        };
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/log/v1/checkpoint": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** The ledger's newest checkpoint (C2SP signed note) */
        get: {
            parameters: {
                query?: never;
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                /** @description OK */
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "text/plain": unknown;
                    };
                };
                /** @description A problem (RFC 9457) */
                default: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
            };
        };
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/log/v1/tile/{rest}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** The ledger's tiles (C2SP tlog-tiles) */
        get: {
            parameters: {
                query?: never;
                header?: never;
                path: {
                    rest: string;
                };
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                /** @description OK */
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/octet-stream": unknown;
                    };
                };
                /** @description A problem (RFC 9457) */
                default: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
            };
        };
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/log/v1/proof/{index}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** A leaf's proof of inclusion (C2SP tlog-proof) */
        get: {
            parameters: {
                query?: never;
                header?: never;
                path: {
                    index: string;
                };
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                /** @description OK */
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "text/plain": unknown;
                    };
                };
                /** @description A problem (RFC 9457) */
                default: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
            };
        };
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/log/v1/receipt/{index}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** A leaf with its proof and the key: what citybrain verify reads */
        get: {
            parameters: {
                query?: never;
                header?: never;
                path: {
                    index: string;
                };
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                /** @description OK */
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["Receipt"];
                    };
                };
                /** @description A problem (RFC 9457) */
                default: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
            };
        };
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/log/v1/vkey": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** The ledger's verifier key (C2SP vkey) */
        get: {
            parameters: {
                query?: never;
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                /** @description OK */
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "text/plain": unknown;
                    };
                };
                /** @description A problem (RFC 9457) */
                default: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
            };
        };
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/hub/v1/object/{area}/{party}/{name}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** An object's bytes, whole or a range of them, under a contract; the receipt is in the header Citybrain-Receipt */
        get: {
            parameters: {
                query: {
                    purpose: string;
                    key?: string;
                    contract?: string;
                };
                header?: never;
                path: {
                    area: string;
                    party: string;
                    name: string;
                };
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                /** @description OK */
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "*/*": unknown;
                    };
                };
                /** @description A problem (RFC 9457) */
                default: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
            };
        };
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/hub/v1/act/{area}/{party}/{name}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** A command to a department's system, once by its key; 422 with the department's words when it refuses */
        post: {
            parameters: {
                query?: never;
                header?: never;
                path: {
                    area: string;
                    party: string;
                    name: string;
                };
                cookie?: never;
            };
            requestBody: {
                content: {
                    "application/json": components["schemas"]["Act"];
                };
            };
            responses: {
                /** @description OK */
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["Acted"];
                    };
                };
                /** @description A problem (RFC 9457) */
                default: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                        "application/json": components["schemas"]["ActRefused"];
                    };
                };
            };
        };
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/hub/v1/catalog": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Every resource the asker may see, and who uses it how much */
        get: {
            parameters: {
                query?: never;
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                /** @description OK */
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["Catalog"];
                    };
                };
                /** @description A problem (RFC 9457) */
                default: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
            };
        };
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/hub/v1/contracts": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** The contracts that the asker is a party of; with view= mine, to-sign, in-force or history */
        get: {
            parameters: {
                query?: {
                    view?: string;
                };
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                /** @description OK */
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["Contracts"];
                    };
                };
                /** @description A problem (RFC 9457) */
                default: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
            };
        };
        put?: never;
        /** Draft a contract */
        post: {
            parameters: {
                query?: never;
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody: {
                content: {
                    "application/json": components["schemas"]["ContractDraft"];
                };
            };
            responses: {
                /** @description OK */
                201: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["ContractStepped"];
                    };
                };
                /** @description A problem (RFC 9457) */
                default: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
            };
        };
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/hub/v1/contracts/unfit": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** The asker's contracts that do not fit their resource any more and are out of force */
        get: {
            parameters: {
                query?: never;
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                /** @description OK */
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["UnfitContracts"];
                    };
                };
                /** @description A problem (RFC 9457) */
                default: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
            };
        };
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/hub/v1/contracts/{area}/{index}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** A contract in full, with its history */
        get: {
            parameters: {
                query?: never;
                header?: never;
                path: {
                    area: string;
                    index: string;
                };
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                /** @description OK */
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["ContractInFull"];
                    };
                };
                /** @description A problem (RFC 9457) */
                default: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
            };
        };
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/hub/v1/contracts/{area}/{index}/{event}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** A step of a contract: change, offer, sign, suspend, resume, revoke, withdraw, confirm */
        post: {
            parameters: {
                query?: never;
                header?: never;
                path: {
                    area: string;
                    index: string;
                    event: string;
                };
                cookie?: never;
            };
            requestBody: {
                content: {
                    "application/json": components["schemas"]["ContractStepBody"];
                };
            };
            responses: {
                /** @description OK */
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["ContractStepped"];
                    };
                };
                /** @description A problem (RFC 9457) */
                default: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
            };
        };
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/hub/v1/publish/hangzhou/world/truth": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Rows of this stream from its provider */
        post: {
            parameters: {
                query?: never;
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody: {
                content: {
                    "application/json": components["schemas"]["Publish"];
                };
            };
            responses: {
                /** @description OK */
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["Published"];
                    };
                };
                /** @description A problem (RFC 9457) */
                default: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
            };
        };
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/VIID/System/Register": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** A camera signs in (GA/T 1400) */
        post: {
            parameters: {
                query?: never;
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody: {
                content: {
                    "application/json": components["schemas"]["ViidRegister"];
                    "application/VIID+JSON": components["schemas"]["ViidRegister"];
                };
            };
            responses: {
                /** @description OK */
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/VIID+JSON": components["schemas"]["ViidResponse"];
                    };
                };
                /** @description A problem (RFC 9457) */
                default: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                        "application/VIID+JSON": components["schemas"]["ViidResponse"];
                    };
                };
            };
        };
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/VIID/System/Keepalive": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** A camera says that it is there (GA/T 1400) */
        post: {
            parameters: {
                query?: never;
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody: {
                content: {
                    "application/json": components["schemas"]["ViidKeepalive"];
                    "application/VIID+JSON": components["schemas"]["ViidKeepalive"];
                };
            };
            responses: {
                /** @description OK */
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/VIID+JSON": components["schemas"]["ViidResponse"];
                    };
                };
                /** @description A problem (RFC 9457) */
                default: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                        "application/VIID+JSON": components["schemas"]["ViidResponse"];
                    };
                };
            };
        };
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/VIID/System/UnRegister": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** A camera signs out (GA/T 1400) */
        post: {
            parameters: {
                query?: never;
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody: {
                content: {
                    "application/json": components["schemas"]["ViidUnRegister"];
                    "application/VIID+JSON": components["schemas"]["ViidUnRegister"];
                };
            };
            responses: {
                /** @description OK */
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/VIID+JSON": components["schemas"]["ViidResponse"];
                    };
                };
                /** @description A problem (RFC 9457) */
                default: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                        "application/VIID+JSON": components["schemas"]["ViidResponse"];
                    };
                };
            };
        };
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/VIID/System/Time": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** The clock for cameras (GA/T 1400) */
        get: {
            parameters: {
                query?: never;
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                /** @description OK */
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/VIID+JSON": components["schemas"]["ViidTime"];
                    };
                };
                /** @description A problem (RFC 9457) */
                default: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                        "application/VIID+JSON": components["schemas"]["ViidResponse"];
                    };
                };
            };
        };
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/VIID/MotorVehicles": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Passages of vehicles, in bulk (GA/T 1400) */
        post: {
            parameters: {
                query?: never;
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody: {
                content: {
                    "application/json": components["schemas"]["ViidMotorVehicles"];
                    "application/VIID+JSON": components["schemas"]["ViidMotorVehicles"];
                };
            };
            responses: {
                /** @description OK */
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/VIID+JSON": components["schemas"]["ViidResponseList"];
                    };
                };
                /** @description A problem (RFC 9457) */
                default: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                        "application/VIID+JSON": components["schemas"]["ViidResponse"];
                    };
                };
            };
        };
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/VIID/SubscribeNotifications": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Passages from another platform (GA/T 1400) */
        post: {
            parameters: {
                query?: never;
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody: {
                content: {
                    "application/json": components["schemas"]["ViidNotifications"];
                    "application/VIID+JSON": components["schemas"]["ViidNotifications"];
                };
            };
            responses: {
                /** @description OK */
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/VIID+JSON": components["schemas"]["ViidResponseList"];
                    };
                };
                /** @description A problem (RFC 9457) */
                default: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                        "application/VIID+JSON": components["schemas"]["ViidResponse"];
                    };
                };
            };
        };
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/cockpit/v1/areas": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** The asker's areas, with their outlines */
        get: {
            parameters: {
                query?: never;
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                /** @description OK */
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["Areas"];
                    };
                };
                /** @description A problem (RFC 9457) */
                default: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
            };
        };
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/cockpit/v1/indicators": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Every indicator of an area, with its newest value */
        get: {
            parameters: {
                query?: {
                    area?: string;
                };
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                /** @description OK */
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["Indicators"];
                    };
                };
                /** @description A problem (RFC 9457) */
                default: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
            };
        };
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/cockpit/v1/history": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Recorded values of one indicator and area */
        get: {
            parameters: {
                query: {
                    indicator: string;
                    area?: string;
                    from?: string;
                    to?: string;
                };
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                /** @description OK */
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["History"];
                    };
                };
                /** @description A problem (RFC 9457) */
                default: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
            };
        };
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/cockpit/v1/ranking": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Roads of an area, the slowest first */
        get: {
            parameters: {
                query?: {
                    area?: string;
                    limit?: string;
                };
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                /** @description OK */
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["Ranking"];
                    };
                };
                /** @description A problem (RFC 9457) */
                default: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
            };
        };
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/cockpit/v1/junctions": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Junctions within an area, the longest wait first */
        get: {
            parameters: {
                query?: {
                    area?: string;
                    limit?: string;
                };
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                /** @description OK */
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["Junctions"];
                    };
                };
                /** @description A problem (RFC 9457) */
                default: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
            };
        };
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/cockpit/v1/road_states": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Speed, delay index and flow of each road edge */
        get: {
            parameters: {
                query?: {
                    area?: string;
                };
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                /** @description OK */
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["RoadStates"];
                    };
                };
                /** @description A problem (RFC 9457) */
                default: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
            };
        };
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/cockpit/v1/roads": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** The road network as GeoJSON; its receipt is in the header Citybrain-Receipt */
        get: {
            parameters: {
                query?: never;
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                /** @description OK */
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/geo+json": components["schemas"]["GeoJson"];
                    };
                };
                /** @description A problem (RFC 9457) */
                default: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
            };
        };
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/cockpit/v1/ground": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Water and green of the map as GeoJSON */
        get: {
            parameters: {
                query?: never;
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                /** @description OK */
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/geo+json": components["schemas"]["GeoJson"];
                    };
                };
                /** @description A problem (RFC 9457) */
                default: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
            };
        };
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/cockpit/v1/zones": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Outlines of restricted zones as GeoJSON; its receipt is in the header Citybrain-Receipt */
        get: {
            parameters: {
                query?: never;
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                /** @description OK */
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/geo+json": components["schemas"]["GeoJson"];
                    };
                };
                /** @description A problem (RFC 9457) */
                default: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
            };
        };
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/cockpit/v1/zone_states": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Vehicles in each restricted zone now and through it today, by class of plates */
        get: {
            parameters: {
                query?: {
                    area?: string;
                };
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                /** @description OK */
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["ZoneStates"];
                    };
                };
                /** @description A problem (RFC 9457) */
                default: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
            };
        };
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/cockpit/v1/sources": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Sources of an area and their health */
        get: {
            parameters: {
                query?: {
                    area?: string;
                };
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                /** @description OK */
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["Sources"];
                    };
                };
                /** @description A problem (RFC 9457) */
                default: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
            };
        };
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/cockpit/v1/why": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Why this number: definition, source, contract, freshness and receipt */
        get: {
            parameters: {
                query: {
                    indicator: string;
                    area?: string;
                };
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                /** @description OK */
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["Why"];
                    };
                };
                /** @description A problem (RFC 9457) */
                default: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
            };
        };
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/cockpit/v1/live": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Live values as server-sent events (docs/cockpit.md) */
        get: {
            parameters: {
                query?: {
                    area?: string;
                };
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                /** @description OK */
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "text/event-stream": unknown;
                    };
                };
                /** @description A problem (RFC 9457) */
                default: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
            };
        };
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/party/v1/session": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Who is signed in */
        get: {
            parameters: {
                query?: never;
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                /** @description OK */
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["Person"];
                    };
                };
                /** @description A problem (RFC 9457) */
                default: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
            };
        };
        put?: never;
        /** Sign in with name and password */
        post: {
            parameters: {
                query?: never;
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody: {
                content: {
                    "application/json": components["schemas"]["SignIn"];
                };
            };
            responses: {
                /** @description OK */
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["Person"];
                    };
                };
                /** @description A problem (RFC 9457) */
                default: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
            };
        };
        /** Sign out */
        delete: {
            parameters: {
                query?: never;
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                /** @description Done */
                204: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content?: never;
                };
                /** @description A problem (RFC 9457) */
                default: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
            };
        };
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/hub/v1/uses/mine": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** The uses of the data of the citizen who asks, the newest first */
        get: {
            parameters: {
                query?: {
                    before?: string;
                    limit?: string;
                };
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                /** @description OK */
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["MyUses"];
                    };
                };
                /** @description A problem (RFC 9457) */
                default: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
            };
        };
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/hub/v1/receipt/{log}/{index}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** A leaf with its proof and the key, of the log of any process of this hub: what citybrain verify reads */
        get: {
            parameters: {
                query?: never;
                header?: never;
                path: {
                    log: string;
                    index: string;
                };
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                /** @description OK */
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["Receipt"];
                    };
                };
                /** @description A problem (RFC 9457) */
                default: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
            };
        };
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/hub/v1/opening/{log}/{index}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** The salt of a leaf of the log of any process of this hub, for the parties of its use */
        get: {
            parameters: {
                query?: never;
                header?: never;
                path: {
                    log: string;
                    index: string;
                };
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                /** @description OK */
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["Opening"];
                    };
                };
                /** @description A problem (RFC 9457) */
                default: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
            };
        };
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/case/v1/cases": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Cases the asker may see, the newest first */
        get: {
            parameters: {
                query?: {
                    state?: string;
                    area?: string;
                    post?: string;
                    kind?: string;
                    before?: string;
                    limit?: string;
                };
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                /** @description OK */
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["Cases"];
                    };
                };
                /** @description A problem (RFC 9457) */
                default: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
            };
        };
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/case/v1/cases/{id}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** One case with its history */
        get: {
            parameters: {
                query?: never;
                header?: never;
                path: {
                    id: string;
                };
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                /** @description OK */
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["CaseInFull"];
                    };
                };
                /** @description A problem (RFC 9457) */
                default: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
            };
        };
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/case/v1/live": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** When a case changes that the asker may see, as server-sent events */
        get: {
            parameters: {
                query?: never;
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                /** @description OK */
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "text/event-stream": unknown;
                    };
                };
                /** @description A problem (RFC 9457) */
                default: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
            };
        };
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/case/v1/posts": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Posts to which a case can be given */
        get: {
            parameters: {
                query?: never;
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                /** @description OK */
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["CasePosts"];
                    };
                };
                /** @description A problem (RFC 9457) */
                default: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
            };
        };
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/case/v1/cases/{id}/{step}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** A step of a case: assign, start, comment, close, reopen */
        post: {
            parameters: {
                query?: never;
                header?: never;
                path: {
                    id: string;
                    step: string;
                };
                cookie?: never;
            };
            requestBody: {
                content: {
                    "application/json": components["schemas"]["CaseStep"];
                };
            };
            responses: {
                /** @description OK */
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["Case"];
                    };
                };
                /** @description A problem (RFC 9457) */
                default: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
            };
        };
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/hub/v1/correction": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** A message to a provider: its data is wrong or poor */
        post: {
            parameters: {
                query?: never;
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody: {
                content: {
                    "application/json": components["schemas"]["Correction"];
                };
            };
            responses: {
                /** @description OK */
                201: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["Corrected"];
                    };
                };
                /** @description A problem (RFC 9457) */
                default: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
            };
        };
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/case/v1/objection": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** A citizen objects to a use of their own data */
        post: {
            parameters: {
                query?: never;
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody: {
                content: {
                    "application/json": components["schemas"]["Objection"];
                };
            };
            responses: {
                /** @description OK */
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["Case"];
                    };
                };
                /** @description A problem (RFC 9457) */
                default: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
            };
        };
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/healthz": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Does the program's main loop come round */
        get: {
            parameters: {
                query?: never;
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                /** @description OK */
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["Alive"];
                    };
                };
                /** @description A problem (RFC 9457) */
                default: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
            };
        };
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/readyz": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** May traffic be sent here; 503 says what is missing */
        get: {
            parameters: {
                query?: never;
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                /** @description OK */
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["Readiness"];
                    };
                };
                /** @description A problem (RFC 9457) */
                default: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                        "application/json": components["schemas"]["Readiness"];
                    };
                };
            };
        };
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/metrics": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Figures as Prometheus text, for the role operate */
        get: {
            parameters: {
                query?: never;
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                /** @description OK */
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "text/plain": unknown;
                    };
                };
                /** @description A problem (RFC 9457) */
                default: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
            };
        };
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/health": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Is the brain up */
        get: {
            parameters: {
                query?: never;
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                /** @description OK */
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["Health"];
                    };
                };
                /** @description A problem (RFC 9457) */
                default: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
            };
        };
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/log/v1/policy": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** The policy of the ledger's witnesses (C2SP tlog-policy) */
        get: {
            parameters: {
                query?: never;
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                /** @description OK */
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "text/plain": unknown;
                    };
                };
                /** @description A problem (RFC 9457) */
                default: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
            };
        };
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** The cockpit */
        get: {
            parameters: {
                query?: never;
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                /** @description OK */
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "text/html": unknown;
                    };
                };
                /** @description A problem (RFC 9457) */
                default: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
            };
        };
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/assets/{rest}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Static files of the screens */
        get: {
            parameters: {
                query?: never;
                header?: never;
                path: {
                    rest: string;
                };
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                /** @description OK */
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "*/*": unknown;
                    };
                };
                /** @description A problem (RFC 9457) */
                default: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
            };
        };
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/{file}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Static files of the screens */
        get: {
            parameters: {
                query?: never;
                header?: never;
                path: {
                    file: string;
                };
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                /** @description OK */
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "*/*": unknown;
                    };
                };
                /** @description A problem (RFC 9457) */
                default: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
            };
        };
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/docs/openapi.json": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** This description (OpenAPI 3.1) */
        get: {
            parameters: {
                query?: never;
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                /** @description OK */
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["OpenApi"];
                    };
                };
                /** @description A problem (RFC 9457) */
                default: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
            };
        };
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
}
export type webhooks = Record<string, never>;
export interface components {
    schemas: {
        /** @description Why a request was refused (RFC 9457) */
        Problem: {
            type: string;
            title: string;
            status: number;
            /** @description What is wrong and how to mend it, for people */
            detail?: string;
            /** @description The rule of docs/decide.md that refused a use */
            rule?: number;
        };
        /** @description This description */
        OpenApi: {
            openapi: string;
            /** Format: uri */
            jsonSchemaDialect?: string;
            info: {
                title: string;
                version: string;
            };
            paths: {
                [key: string]: Record<string, unknown>;
            };
            components: {
                schemas: Record<string, unknown>;
                securitySchemes: Record<string, unknown>;
            };
        };
        /** @description Words in both languages */
        Text: {
            zh: string;
            en: string;
        };
        /** @example hangzhou.xihu.gudang */
        AreaName: string;
        /** @example hangzhou/police */
        PartyName: string;
        /** @example hangzhou/police/vehicle */
        ResourceName: string;
        /** @example hangzhou/c-17 */
        ContractName: string;
        /**
         * @description A leaf of a ledger
         * @example hangzhou.log/48211
         */
        ReceiptName: string;
        /** @description Milliseconds since 1970 UTC */
        Ms: number;
        Sha256: string;
        /** @enum {unknown} */
        Kind: "table" | "stream" | "command" | "object";
        /** @enum {unknown} */
        ContractState: "drafted" | "offered" | "agreed" | "suspended" | "ended";
        /** @description A value: a time as RFC 3339 in UTC, bytes as Base64 */
        Cell: null | boolean | number | string;
        /** @description A party, and what people call it */
        PartyTitle: {
            party: components["schemas"]["PartyName"];
            title: components["schemas"]["Text"];
        };
        Field: {
            name: string;
            /** @enum {unknown} */
            type: "boolean" | "integer" | "real" | "text" | "time" | "bytes";
            /** @enum {unknown} */
            class: "open" | "internal" | "personal" | "secret";
            /** @description Rows may be asked by it */
            key: boolean;
            meaning: components["schemas"]["Text"];
            unit: components["schemas"]["Text"];
        };
        /**
         * @description Which rows and fields, for what. Without a contract's name it is the one that permits
         * @example {
         *       "purpose": "parking.settle",
         *       "key": {
         *         "plate": "浙A12345"
         *       },
         *       "fields": [
         *         "plate",
         *         "vehicle_type"
         *       ]
         *     }
         */
        Call: {
            /** @description The code of the contract's purpose */
            purpose: string;
            key: {
                [key: string]: components["schemas"]["Cell"];
            };
            fields: string[];
            contract?: components["schemas"]["ContractName"];
        };
        Called: {
            rows: {
                [key: string]: components["schemas"]["Cell"];
            }[];
            /** @description There are more rows than one answer holds */
            truncated: boolean;
            receipt: components["schemas"]["ReceiptName"];
        };
        /**
         * @description One SELECT in SQLite's words; a resource is a table of its name, in double quotes (docs/query.md)
         * @example {
         *       "purpose": "parking.plan",
         *       "sql": "SELECT count(*) FROM \"hangzhou/police/vehicle\" WHERE seats > ?",
         *       "parameters": [
         *         5
         *       ]
         *     }
         */
        Query: {
            /** @description The code of the contracts' purpose */
            purpose: string;
            sql: string;
            /** @description For ?, ?1, ?2 … */
            parameters?: (null | boolean | number | string)[];
            /** @description Also tell what each department was asked */
            explain?: boolean;
        };
        Queried: {
            columns: string[];
            rows: components["schemas"]["Cell"][][];
            /** @description There are more rows than one answer holds */
            truncated: boolean;
            receipts: {
                contract: components["schemas"]["ContractName"];
                resource: components["schemas"]["ResourceName"];
                receipt: components["schemas"]["ReceiptName"];
            }[];
            /** @description What went to which department, without values */
            explain?: {
                resource: components["schemas"]["ResourceName"];
                asked: string;
                round_trips: number;
                rows: number;
            }[];
        };
        /** @description A command: what for, its idempotency key, its parameters as the resource declares them */
        Act: {
            purpose: string;
            /** @description The same key acts once, however often it is sent */
            key: string;
            parameters: {
                [key: string]: components["schemas"]["Cell"];
            };
            contract?: components["schemas"]["ContractName"];
        };
        Acted: {
            /** @constant */
            state: "done";
            /** @description What the department's system answered */
            answer: unknown;
            /** @description It was done before, under this key */
            repeated: boolean;
            receipt: components["schemas"]["ReceiptName"];
        };
        ActRefused: {
            /** @constant */
            state: "refused";
            /** @description The department's words */
            why: unknown;
            repeated: boolean;
            receipt: components["schemas"]["ReceiptName"];
        };
        Resources: {
            resource: components["schemas"]["ResourceName"];
            party: components["schemas"]["PartyName"];
            title: components["schemas"]["Text"];
            kind: components["schemas"]["Kind"];
            fields: components["schemas"]["Field"][];
        }[];
        Catalog: {
            time: components["schemas"]["Ms"];
            resources: {
                resource: components["schemas"]["ResourceName"];
                owner: components["schemas"]["PartyTitle"];
                title: components["schemas"]["Text"];
                kind: components["schemas"]["Kind"];
                mine: boolean;
                fields: components["schemas"]["Field"][];
                quality: components["schemas"]["QualityCheck"][];
                used_by: components["schemas"]["CatalogUse"][];
            }[];
            /** @description Who could be the other side of a contract; empty but for those who manage contracts */
            parties: {
                party: components["schemas"]["PartyName"];
                title: components["schemas"]["Text"];
                kind: string;
            }[];
        };
        /** @description What a department promises of its table, and what the last look has found */
        QualityCheck: {
            /** @description A condition over the table's fields, or the name of a field that has to be fresh */
            check: string;
            /** @enum {unknown} */
            state: "unknown" | "good" | "failed" | "unavailable";
            time: components["schemas"]["Ms"];
            /** @description Of all rows this part is promised to fulfil it */
            share?: number;
            /** @description Rows that there are */
            n?: number;
            /** @description Rows that fulfil it */
            n_good?: number;
            /** @description The newest value is no older than this */
            fresh_ms?: number;
            /** @description The newest value; 0: none */
            newest?: number;
        };
        /** @description Who uses a resource, how much today and this month */
        CatalogUse: {
            contract: components["schemas"]["ContractName"];
            consumer: components["schemas"]["PartyTitle"];
            purpose: string;
            state: components["schemas"]["ContractState"];
            today: number;
            month: number;
        };
        /** @description With the salt the parties of a use recompute the commitments of its leaf (docs/ledger.md) */
        Opening: {
            index: number;
            salt: components["schemas"]["Sha256"];
            leaf: {
                /** @enum {unknown} */
                type: "intent" | "outcome";
                time_ms: components["schemas"]["Ms"];
                nonce: string;
            };
        };
        /** @description All that `citybrain verify` needs, in one file */
        Receipt: {
            receipt: components["schemas"]["ReceiptName"];
            /** @description The leaf's bytes: canonical JSON */
            leaf: string;
            /** @description C2SP tlog-proof */
            proof: string;
            /** @description C2SP verifier key of the ledger */
            vkey: string;
        };
        /** @description Who used the data of the citizen who asks */
        MyUses: {
            time: components["schemas"]["Ms"];
            /** @description The citizen's own keys */
            subject: {
                [key: string]: string;
            };
            /** @description How many days back uses are found, as long as the days' keys are kept */
            days: number;
            /** @description Every leaf of the ledgers of all processes of the hub has been looked at */
            complete: boolean;
            /** @description Logs of processes of the hub that did not answer: their uses are not in this list */
            unanswered: string[];
            uses: components["schemas"]["MyUse"][];
            /** @description Ask again with before=this for older ones: how far the list has come in each log */
            next: string | null;
        };
        MyUse: {
            receipt: components["schemas"]["ReceiptName"];
            time: components["schemas"]["Ms"];
            use: components["schemas"]["Use"];
            consumer: components["schemas"]["PartyTitle"];
            provider: components["schemas"]["PartyTitle"];
            resource: components["schemas"]["ResourceName"];
            resource_title: components["schemas"]["Text"];
            contract: components["schemas"]["ContractName"];
            purpose: string;
            legal_basis: components["schemas"]["Text"];
            /** @description How long the consumer may keep the data */
            keep_ms: components["schemas"]["Ms"];
            /** @description The fields that the contract grants at most */
            may_see: string[];
        };
        Contracts: components["schemas"]["Contract"][];
        /** @description A contract as one of its sides sees it. Limits and dates that it does not have are null */
        Contract: {
            contract: components["schemas"]["ContractName"];
            provider: components["schemas"]["PartyName"];
            provider_title: components["schemas"]["Text"];
            consumer: components["schemas"]["PartyName"];
            consumer_title: components["schemas"]["Text"];
            resource: components["schemas"]["ResourceName"];
            resource_title: components["schemas"]["Text"];
            kind: components["schemas"]["Kind"];
            uses: components["schemas"]["Use"][];
            fields: string[];
            /** @description SQL predicate; empty: all rows */
            rows: string;
            purpose: string;
            legal_basis: components["schemas"]["Text"];
            per_second: number | null;
            per_day: number | null;
            per_month: number | null;
            min_subjects: number | null;
            from_ms: number | null;
            until_ms: number | null;
            fresh_for_ms: number | null;
            fresh_until_ms: number | null;
            keep_ms: number | null;
            state: components["schemas"]["ContractState"];
            /**
             * @description At run time, or by a file of the city
             * @enum {unknown}
             */
            made: "here" | "file";
            /** @description The asker's */
            side: components["schemas"]["Side"];
            drafter: components["schemas"]["Side"];
            suspended_by: components["schemas"]["Side"];
            confirmed_ms: number | null;
            provider_signed: components["schemas"]["Signed"];
            consumer_signed: components["schemas"]["Signed"];
            today: number;
            month: number;
            /** @description What the asker may do now */
            may: components["schemas"]["ContractEvent"][];
            /** @description Of the content */
            sha256: components["schemas"]["Sha256"];
            resource_fields?: components["schemas"]["Field"][];
            signatures?: components["schemas"]["Signatures"];
            /** @description What the two sides sign, in RFC 8785 form (docs/contract.md) */
            content?: Record<string, unknown>;
            history?: components["schemas"]["ContractStep"][];
        };
        UnfitContracts: {
            contract: components["schemas"]["ContractName"];
            provider: components["schemas"]["PartyTitle"];
            consumer: components["schemas"]["PartyTitle"];
            resource: components["schemas"]["ResourceName"];
            /** @description What it would be, if it fitted */
            state: components["schemas"]["ContractState"];
            /** @description Place, cause and mend */
            why: string;
        }[];
        ContractInFull: WithRequired<components["schemas"]["Contract"], "resource_fields" | "signatures" | "content" | "history">;
        /** @enum {unknown} */
        Use: "call" | "query" | "subscribe" | "act";
        /** @enum {unknown} */
        Side: "nobody" | "provider" | "consumer" | "hub";
        /** @enum {unknown} */
        ContractEvent: "change" | "offer" | "sign" | "suspend" | "resume" | "revoke" | "withdraw" | "confirm" | "expire";
        Signed: {
            signed: boolean;
            time: number | null;
        };
        Signature: {
            key: string;
            signature: string;
        };
        Signatures: {
            provider?: components["schemas"]["Signature"];
            consumer?: components["schemas"]["Signature"];
        };
        ContractStep: {
            time: components["schemas"]["Ms"];
            event: components["schemas"]["ContractEvent"] | ("draft" | "file");
            by: components["schemas"]["Side"];
            party: string;
            person: string;
            state: components["schemas"]["ContractState"];
            receipt: components["schemas"]["ReceiptName"] | null;
        };
        /** @description The keys of a contract's file (docs/city.md) without contract, state and confirmed, which are passed over; null is as good as left out */
        ContractDraft: {
            provider: components["schemas"]["PartyName"];
            consumer: components["schemas"]["PartyName"];
            resource: components["schemas"]["ResourceName"];
            uses: components["schemas"]["Use"][];
            fields?: string[];
            rows?: string | null;
            purpose: string;
            legal_basis: components["schemas"]["Text"];
            per_second?: number | null;
            per_day?: number | null;
            per_month?: number | null;
            min_subjects?: number | null;
            from: string;
            until: string;
            fresh_for?: string | null;
            contract?: unknown;
            state?: unknown;
            confirmed?: unknown;
            /** @example 1h */
            keep: string;
        };
        /** @description {}; for sign with a key of one's own, key and signature; for change, a draft */
        ContractStepBody: Record<string, unknown> | components["schemas"]["Signature"] | components["schemas"]["ContractDraft"];
        ContractStepped: {
            contract: components["schemas"]["ContractName"];
            state: components["schemas"]["ContractState"];
            receipt: components["schemas"]["ReceiptName"] | null;
        };
        /** @description Events of a stream, each with some of the stream's declared fields; one that is left out is null */
        Publish: {
            events: {
                [key: string]: components["schemas"]["Cell"];
            }[];
            /** @description A name of its own: sent again byte for byte under the same name it goes on once */
            posting?: string;
        };
        Published: {
            accepted: number;
            /**
             * @description It had been accepted before, and was not passed on again
             * @constant
             */
            repeated?: true;
        };
        /** @example 33010600001190000001 */
        ViidDeviceId: string;
        ViidRegister: {
            RegisterObject: {
                DeviceID: components["schemas"]["ViidDeviceId"];
            };
        };
        ViidKeepalive: {
            KeepaliveObject: {
                DeviceID: components["schemas"]["ViidDeviceId"];
            };
        };
        ViidUnRegister: {
            UnRegisterObject: {
                DeviceID: components["schemas"]["ViidDeviceId"];
            };
        };
        ViidStatus: {
            Id: string;
            RequestURL: string;
            /**
             * @description 0 done, 2 busy, 3 device error, 4 invalid operation, 7 JSON format, 8 JSON content; text or number by the city's choice
             * @enum {unknown}
             */
            StatusCode: "0" | "2" | "3" | "4" | "7" | "8" | 0 | 2 | 3 | 4 | 7 | 8;
            StatusString: string;
            LocalTime: string;
        };
        /** @description One status for the whole request */
        ViidResponse: {
            ResponseStatusObject: components["schemas"]["ViidStatus"];
        };
        /** @description A status an object, in the order of the request; 0 only when the passage is durable */
        ViidResponseList: {
            ResponseStatusListObject: {
                ResponseStatusObject: components["schemas"]["ViidStatus"][];
            };
        };
        ViidTime: {
            SystemTimeObject: {
                VIIDServerID: string;
                /** @constant */
                TimeMode: "1";
                LocalTime: string;
                TimeZone: string;
            };
        };
        /** @description A passage. The standard has about 70 names, cameras differ, and each object is judged by itself (docs/camera.md): the names that are read */
        ViidMotorVehicle: {
            MotorVehicleID?: string;
            InfoKind?: number | string;
            SourceID?: string;
            DeviceID?: string;
            StorageUrl1?: string;
            LaneNo?: number | string | null;
            HasPlate?: boolean | number | string | null;
            PlateClass?: number | string | null;
            PlateNo?: string | null;
            PlateReliability?: number | string | null;
            Speed?: number | string | null;
            VehicleColor?: string | null;
            /** @description yyyyMMddHHmmss, or with three digits of milliseconds */
            PassTime?: number | string;
        };
        ViidVehicles: components["schemas"]["ViidMotorVehicle"][] | components["schemas"]["ViidMotorVehicle"];
        ViidMotorVehicles: {
            MotorVehicleListObject: {
                MotorVehicleObject: components["schemas"]["ViidVehicles"];
            };
        };
        ViidNotification: {
            NotificationID?: string;
            MotorVehicleObjectList?: {
                MotorVehicleObject?: components["schemas"]["ViidVehicles"];
            };
        };
        ViidNotifications: {
            SubscribeNotificationListObject: {
                SubscribeNotificationObject: components["schemas"]["ViidNotification"][] | components["schemas"]["ViidNotification"];
            };
        };
        Areas: {
            name: components["schemas"]["AreaName"];
            parent: components["schemas"]["AreaName"] | null;
            /** @enum {unknown} */
            level: "city" | "district" | "street" | "community";
            title: components["schemas"]["Text"];
            /** @description Within the asker's area; those above come without outline */
            own: boolean;
            outline?: components["schemas"]["Place"][];
        }[];
        /** @description WGS 84: longitude, latitude */
        Place: [
            number,
            number
        ];
        /** @enum {unknown} */
        ValueState: "none" | "calm" | "amber" | "red" | "stale";
        MaybeReceipt: components["schemas"]["ReceiptName"] | "";
        MaybeMs: components["schemas"]["Ms"] | null;
        Thresholds: {
            amber: number | null;
            red: number | null;
            /** @enum {unknown} */
            direction: "above" | "below";
        } | null;
        Indicators: {
            area: components["schemas"]["AreaName"];
            time: components["schemas"]["Ms"];
            indicators: components["schemas"]["Indicator"][];
        };
        /** @description An indicator of one area with its newest value; null when there never was one */
        Indicator: {
            name: string;
            title: components["schemas"]["Text"];
            unit: components["schemas"]["Text"];
            decimals: number;
            record_ms: number;
            stale_after_ms: number;
            thresholds: components["schemas"]["Thresholds"];
            value: number | null;
            time: components["schemas"]["Ms"];
            period_ms: number;
            /** @description How many observations it rests on */
            n: number;
            stale: boolean;
            stale_since: components["schemas"]["MaybeMs"];
            /** @description What the source itself has learned to be usual at this time on such a day; otherwise the mean of the records at this time of the last seven days */
            usual: number | null;
            receipt: components["schemas"]["MaybeReceipt"];
            state: components["schemas"]["ValueState"];
        };
        History: {
            indicator: string;
            area: components["schemas"]["AreaName"];
            period_ms: number;
            /** @description [time, value or null], oldest first */
            points: [
                components["schemas"]["Ms"],
                number | null
            ][];
        };
        Ranking: {
            area: components["schemas"]["AreaName"];
            time: components["schemas"]["Ms"];
            roads: {
                road: string;
                speed_mps: number | null;
                delay_index: number;
                flow_vph: number | null;
                length_m: number | null;
                /** @description Vehicle-kilometres an hour on what was observed */
                vehicle_km_ph: number | null;
                /** @description In transit on it, with a 90 % interval; null: not known */
                vehicles: {
                    value: number;
                    low: number;
                    high: number;
                } | null;
                n: number;
                /** @description Where its speed comes from; loop: its flow is that of induction loops */
                sources: ("camera" | "gps" | "loop")[];
                /** @description 0 is the best of the city's levels */
                level: number | null;
                /** @description How many levels there are */
                levels: number;
                level_title: components["schemas"]["Text"];
                /** @description The index object and its version, hangzhou.traffic/1 */
                made_by: string;
                /** @description The delay index that the road usually has at this time on a day of this kind; null in a city that learns none */
                usual: {
                    /** @description Null until enough days are known */
                    delay_index: number | null;
                    /** @enum {unknown} */
                    state: "learning" | "usual" | "slower" | "faster";
                    since: components["schemas"]["MaybeMs"];
                    days: number;
                } | null;
            }[];
        };
        Junctions: {
            area: components["schemas"]["AreaName"];
            time: components["schemas"]["Ms"];
            junctions: {
                junction: string;
                /** @description The roads that meet there */
                title: string;
                area: components["schemas"]["AreaName"];
                lon: number;
                lat: number;
                /** @description Mean delay of a vehicle on the way to it, its waiting included */
                delay_s: number;
                delay_index: number;
                n: number;
                made_by: string;
            }[];
        };
        RoadStates: {
            time: components["schemas"]["Ms"];
            /** @description [edge, speed_mps, delay_index, flow_vph, level], null where nothing was observed lately; level 0 is the best of the city's levels */
            edges: [
                string,
                number | null,
                number | null,
                number | null,
                number | null
            ][];
        };
        ZoneStates: {
            area: components["schemas"]["AreaName"];
            time: components["schemas"]["Ms"];
            /** @description Of the area and all within it; their titles and outlines are in /cockpit/v1/zones */
            zones: {
                zone: string;
                area: components["schemas"]["AreaName"];
                time: components["schemas"]["Ms"];
                /** @description Its cameras, or who counts, are silent since then: the figures are the last that were known */
                stale_since: components["schemas"]["Ms"] | null;
                /** @description Passages of today are missing since then: what is of the day is what it is at least */
                missing_since: components["schemas"]["Ms"] | null;
                /** @description Without a pass in it today */
                breaches: number | null;
                receipt: components["schemas"]["MaybeReceipt"];
                classes: {
                    /**
                     * @description By the plate: of the city, of elsewhere in the province, of other provinces, special ones; all are these four; new_energy lies across them
                     * @enum {unknown}
                     */
                    class: "all" | "local" | "province" | "other" | "special" | "new_energy";
                    /** @description Vehicles in it */
                    now: components["schemas"]["Estimate"] | null;
                    /** @description Different vehicles that were in it since midnight */
                    today: components["schemas"]["Estimate"] | null;
                }[];
            }[];
        };
        /** @description A number with its 90 % interval; low and high are null where there is none */
        Estimate: {
            value: number;
            low: number | null;
            high: number | null;
        };
        Sources: {
            time: components["schemas"]["Ms"];
            sources: {
                party: components["schemas"]["PartyName"];
                source: string;
                area: components["schemas"]["AreaName"];
                title: components["schemas"]["Text"];
                lon?: number;
                lat?: number;
                /** @enum {unknown} */
                health: "fresh" | "stale" | "down";
                last_heard: components["schemas"]["Ms"];
                since: components["schemas"]["Ms"];
                detail: {
                    code: string;
                    parameters: string[];
                } | null;
            }[];
        };
        /** @description All that stands behind one figure */
        Why: {
            indicator: string;
            area: components["schemas"]["AreaName"];
            title: components["schemas"]["Text"];
            definition: components["schemas"]["Text"];
            unit: components["schemas"]["Text"];
            decimals: number;
            owner: components["schemas"]["PartyTitle"];
            record_ms: number;
            value: number | null;
            time: components["schemas"]["Ms"];
            period_ms: number;
            n: number;
            rolled_up: boolean;
            /** @enum {unknown} */
            roll_up: "none" | "sum" | "mean" | "weighted";
            stale: boolean;
            stale_since: components["schemas"]["MaybeMs"];
            freshness: {
                age_ms: number;
                stale_after_ms: number;
            };
            formula: {
                name: string;
                version: number;
                text: components["schemas"]["Text"];
            };
            /** @description Formula and version that the source names for this value; null where it names none */
            made_by: string | null;
            source: {
                resource: components["schemas"]["ResourceName"];
                title: components["schemas"]["Text"];
                provider?: components["schemas"]["PartyTitle"];
            };
            contract: {
                id: components["schemas"]["ContractName"];
                consumer: components["schemas"]["PartyName"];
                purpose: string;
                legal_basis: components["schemas"]["Text"];
                fields: string[];
                until: components["schemas"]["MaybeMs"];
                keep_ms: number | null;
                sha256: components["schemas"]["Sha256"];
            } | null;
            inputs: {
                resource: components["schemas"]["ResourceName"] | null;
                contract: components["schemas"]["ContractName"] | null;
                receipt: components["schemas"]["ReceiptName"] | null;
            }[];
            receipt: components["schemas"]["ReceiptName"] | null;
        };
        /** @description A collection of features (RFC 7946) */
        GeoJson: {
            /** @constant */
            type: "FeatureCollection";
            features: {
                /** @constant */
                type: "Feature";
                properties: Record<string, unknown>;
                geometry: {
                    type: string;
                    coordinates: unknown[];
                };
            }[];
        };
        /** @description The event `indicators` of /cockpit/v1/live; its other events are RoadStates, Ranking, Junctions, ZoneStates, Sources, LiveRecorded and LivePing */
        LiveIndicators: {
            time: components["schemas"]["Ms"];
            indicators: {
                name: string;
                area: components["schemas"]["AreaName"];
                value: number | null;
                time: components["schemas"]["Ms"];
                period_ms: number;
                n: number;
                stale: boolean;
                stale_since: components["schemas"]["MaybeMs"];
                usual: number | null;
                receipt: components["schemas"]["MaybeReceipt"];
                state: components["schemas"]["ValueState"];
            }[];
        };
        /** @description The event `recorded`: a value has become durable */
        LiveRecorded: {
            indicator: string;
            area: components["schemas"]["AreaName"];
            time: components["schemas"]["Ms"];
            value: number | null;
            receipt: components["schemas"]["MaybeReceipt"];
        };
        /** @description The event `ping`, each 10 s */
        LivePing: {
            time: components["schemas"]["Ms"];
        };
        /**
         * @example {
         *       "name": "mayor",
         *       "password": "citybrain-demo"
         *     }
         */
        SignIn: {
            name: string;
            password: string;
        };
        /** @description Who is signed in, and as what */
        Person: {
            person: string;
            party: components["schemas"]["PartyName"];
            /** @description Whose contracts the person manages */
            for: components["schemas"]["PartyName"];
            roles: ("manage" | "audit" | "operate")[];
            /** @description Empty: a citizen */
            area: components["schemas"]["AreaName"] | "";
            /** @enum {unknown} */
            level: "city" | "district" | "street" | "community" | "";
            title: components["schemas"]["Text"];
            city: {
                name: components["schemas"]["AreaName"];
                title: components["schemas"]["Text"];
            };
            time_zone: string;
            /** @description Sees the uses of their own data, and nothing of an official's */
            citizen: boolean;
            demo: boolean;
        };
        /** @description Work for people: what happened, whose it is, until when */
        Case: {
            id: number;
            kind: string;
            kind_title: components["schemas"]["Text"];
            /**
             * @description By the re-measured value, or by the owner's word
             * @enum {unknown}
             */
            closes: "measured" | "result";
            title: components["schemas"]["Text"];
            detail: string;
            receipt: components["schemas"]["ReceiptName"] | "";
            area: components["schemas"]["AreaName"];
            area_title: components["schemas"]["Text"];
            party: components["schemas"]["PartyTitle"] | null;
            owner: components["schemas"]["PartyTitle"] | null;
            state: components["schemas"]["CaseState"];
            opened: components["schemas"]["CaseTime"];
            changed: components["schemas"]["CaseTime"];
            due: components["schemas"]["CaseTime"];
            closed: components["schemas"]["CaseTime"];
            last_alert: components["schemas"]["CaseTime"];
            alerts: number;
            escalated: number;
            reopened: number;
            late: boolean;
            /** @description The asker may take a step */
            may_act: boolean;
        };
        CaseTime: components["schemas"]["Ms"] | null;
        /** @enum {unknown} */
        CaseState: "open" | "assigned" | "doing" | "measuring" | "closed";
        Cases: {
            time: components["schemas"]["Ms"];
            cases: components["schemas"]["Case"][];
            /** @description Ask again with before= this; null: no more */
            next: number | null;
            counts: {
                open: number;
                assigned: number;
                doing: number;
                measuring: number;
                closed: number;
                late: number;
            };
        };
        CaseInFull: {
            time: components["schemas"]["Ms"];
            case: components["schemas"]["Case"];
            history: {
                time: components["schemas"]["Ms"];
                /** @enum {unknown} */
                what: "opened" | "reopened" | "measured" | "assigned" | "started" | "comment" | "done" | "closed" | "escalated" | "late" | "deleted";
                from: components["schemas"]["CaseState"];
                to: components["schemas"]["CaseState"];
                owner: components["schemas"]["PartyTitle"] | null;
                by: components["schemas"]["PartyTitle"] | null;
                by_name: string;
                text: string;
                receipt: string | null;
                /** @description For who may read the words: HMAC-SHA-256 under the salt over the words in RFC 8785 form is the leaf's `words` (docs/case.md) */
                opening: {
                    salt: components["schemas"]["Sha256"];
                    words: {
                        by: string;
                        by_name: string;
                        from: components["schemas"]["CaseState"];
                        owner: string;
                        text: string;
                        to: components["schemas"]["CaseState"];
                    };
                } | null;
            }[];
        };
        CasePosts: {
            posts: {
                post: components["schemas"]["PartyName"];
                title: components["schemas"]["Text"];
                area: components["schemas"]["AreaName"];
            }[];
        };
        /** @description Of an event of /case/v1/live: changed, something that the asker may see is another; ping, nothing */
        CaseLive: {
            time: components["schemas"]["Ms"];
        };
        CaseStep: {
            text?: string;
            /** @description For assign: the post */
            to?: components["schemas"]["PartyName"];
        };
        Correction: {
            resource: components["schemas"]["ResourceName"];
            /** @description What is wrong */
            what: string;
            /** @description correction, quality */
            about?: string;
            /** @description Of the row, as in a call */
            key?: Record<string, unknown>;
        };
        /** @description The case, and the key's commitment with its salt */
        Corrected: {
            case: number;
            commitment: components["schemas"]["Sha256"];
            salt: components["schemas"]["Sha256"];
        };
        /**
         * @example {
         *       "receipt": "hangzhou.log/48211",
         *       "what": "I was not parked there"
         *     }
         */
        Objection: {
            receipt: components["schemas"]["ReceiptName"];
            what: string;
        };
        Alive: {
            /** @enum {unknown} */
            status: "ok" | "stuck";
        };
        /** @description May traffic be sent here, and if not, what is missing */
        Readiness: {
            ready: boolean;
            missing: string[];
        };
        Health: {
            /** @constant */
            status: "ok";
            version: string;
            city: components["schemas"]["AreaName"];
            ledger?: components["schemas"]["LedgerHealth"];
        };
        /** @description Whether checkpoints get their quorum of witnesses, and who does not cosign; only where there is a policy */
        LedgerHealth: {
            durable: number;
            published: number;
            halted: boolean;
            witnesses: {
                name: string;
                cosigns: boolean;
                size: number;
                why?: string;
            }[];
        };
    };
    responses: never;
    parameters: never;
    requestBodies: never;
    headers: never;
    pathItems: never;
}
export type Problem = components['schemas']['Problem'];
export type OpenApi = components['schemas']['OpenApi'];
export type Text = components['schemas']['Text'];
export type AreaName = components['schemas']['AreaName'];
export type PartyName = components['schemas']['PartyName'];
export type ResourceName = components['schemas']['ResourceName'];
export type ContractName = components['schemas']['ContractName'];
export type ReceiptName = components['schemas']['ReceiptName'];
export type Ms = components['schemas']['Ms'];
export type Sha256 = components['schemas']['Sha256'];
export type Kind = components['schemas']['Kind'];
export type ContractState = components['schemas']['ContractState'];
export type Cell = components['schemas']['Cell'];
export type PartyTitle = components['schemas']['PartyTitle'];
export type Field = components['schemas']['Field'];
export type Call = components['schemas']['Call'];
export type Called = components['schemas']['Called'];
export type Query = components['schemas']['Query'];
export type Queried = components['schemas']['Queried'];
export type Act = components['schemas']['Act'];
export type Acted = components['schemas']['Acted'];
export type ActRefused = components['schemas']['ActRefused'];
export type Resources = components['schemas']['Resources'];
export type Catalog = components['schemas']['Catalog'];
export type QualityCheck = components['schemas']['QualityCheck'];
export type CatalogUse = components['schemas']['CatalogUse'];
export type Opening = components['schemas']['Opening'];
export type Receipt = components['schemas']['Receipt'];
export type MyUses = components['schemas']['MyUses'];
export type MyUse = components['schemas']['MyUse'];
export type Contracts = components['schemas']['Contracts'];
export type Contract = components['schemas']['Contract'];
export type UnfitContracts = components['schemas']['UnfitContracts'];
export type ContractInFull = components['schemas']['ContractInFull'];
export type Use = components['schemas']['Use'];
export type Side = components['schemas']['Side'];
export type ContractEvent = components['schemas']['ContractEvent'];
export type Signed = components['schemas']['Signed'];
export type Signature = components['schemas']['Signature'];
export type Signatures = components['schemas']['Signatures'];
export type ContractStep = components['schemas']['ContractStep'];
export type ContractDraft = components['schemas']['ContractDraft'];
export type ContractStepBody = components['schemas']['ContractStepBody'];
export type ContractStepped = components['schemas']['ContractStepped'];
export type Publish = components['schemas']['Publish'];
export type Published = components['schemas']['Published'];
export type ViidDeviceId = components['schemas']['ViidDeviceId'];
export type ViidRegister = components['schemas']['ViidRegister'];
export type ViidKeepalive = components['schemas']['ViidKeepalive'];
export type ViidUnRegister = components['schemas']['ViidUnRegister'];
export type ViidStatus = components['schemas']['ViidStatus'];
export type ViidResponse = components['schemas']['ViidResponse'];
export type ViidResponseList = components['schemas']['ViidResponseList'];
export type ViidTime = components['schemas']['ViidTime'];
export type ViidMotorVehicle = components['schemas']['ViidMotorVehicle'];
export type ViidVehicles = components['schemas']['ViidVehicles'];
export type ViidMotorVehicles = components['schemas']['ViidMotorVehicles'];
export type ViidNotification = components['schemas']['ViidNotification'];
export type ViidNotifications = components['schemas']['ViidNotifications'];
export type Areas = components['schemas']['Areas'];
export type Place = components['schemas']['Place'];
export type ValueState = components['schemas']['ValueState'];
export type MaybeReceipt = components['schemas']['MaybeReceipt'];
export type MaybeMs = components['schemas']['MaybeMs'];
export type Thresholds = components['schemas']['Thresholds'];
export type Indicators = components['schemas']['Indicators'];
export type Indicator = components['schemas']['Indicator'];
export type History = components['schemas']['History'];
export type Ranking = components['schemas']['Ranking'];
export type Junctions = components['schemas']['Junctions'];
export type RoadStates = components['schemas']['RoadStates'];
export type ZoneStates = components['schemas']['ZoneStates'];
export type Estimate = components['schemas']['Estimate'];
export type Sources = components['schemas']['Sources'];
export type Why = components['schemas']['Why'];
export type GeoJson = components['schemas']['GeoJson'];
export type LiveIndicators = components['schemas']['LiveIndicators'];
export type LiveRecorded = components['schemas']['LiveRecorded'];
export type LivePing = components['schemas']['LivePing'];
export type SignIn = components['schemas']['SignIn'];
export type Person = components['schemas']['Person'];
export type Case = components['schemas']['Case'];
export type CaseTime = components['schemas']['CaseTime'];
export type CaseState = components['schemas']['CaseState'];
export type Cases = components['schemas']['Cases'];
export type CaseInFull = components['schemas']['CaseInFull'];
export type CasePosts = components['schemas']['CasePosts'];
export type CaseLive = components['schemas']['CaseLive'];
export type CaseStep = components['schemas']['CaseStep'];
export type Correction = components['schemas']['Correction'];
export type Corrected = components['schemas']['Corrected'];
export type Objection = components['schemas']['Objection'];
export type Alive = components['schemas']['Alive'];
export type Readiness = components['schemas']['Readiness'];
export type Health = components['schemas']['Health'];
export type LedgerHealth = components['schemas']['LedgerHealth'];
export type $defs = Record<string, never>;
type WithRequired<T, K extends keyof T> = T & {
    [P in K]-?: T[P];
};
export type operations = Record<string, never>;

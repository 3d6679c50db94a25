// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"log"
	"os"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"

	sheaf "example/sheaf/v1"
)

func main() {
	conn, err := grpc.Dial(os.Args[1], grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		log.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	models, err := sheaf.NewModelServiceClient(conn).ListModels(ctx, &sheaf.ListModelsRequest{})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(models.Models[0].Name)

	text := sheaf.NewTextServiceClient(conn)
	request := &sheaf.TranslateRequest{
		Text: "Where is the train station?", SourceLanguage: "en", TargetLanguage: "de"}
	answer, err := text.Translate(ctx, request)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(answer.Text)

	stream, err := text.TranslateStream(ctx, request)
	if err != nil {
		log.Fatal(err)
	}
	var usage *sheaf.Usage
	for chunk, err := stream.Recv(); err == nil; chunk, err = stream.Recv() {
		fmt.Print(chunk.Text)
		usage = chunk.Usage
	}
	fmt.Printf("\n%d tokens\n", usage.GetOutputTokens())

	request.TargetLanguage = "xx"
	_, err = text.Translate(ctx, request)
	fmt.Println(status.Code(err), status.Convert(err).Message())
}
